import { createHash, randomBytes } from 'node:crypto'
import type { Db } from '../open-database.ts'
import type { ServerKey } from '../server-key.ts'

export type ApiRole = 'admin' | 'operator' | 'viewer'

/** The operator's tokens (by hash only), the secrets made for clusters (sealed), and the server's own facts. */
export class SecretsTable {
  readonly #key: ServerKey
  readonly #statements

  constructor(db: Db, key: ServerKey) {
    this.#key = key
    this.#statements = {
      roleOf: db.prepare('SELECT role FROM api_token WHERE token_sha256 = ?').pluck(),
      putToken: db.prepare(
        'INSERT INTO api_token (token_sha256, name, role, created_at_ms) VALUES (?, ?, ?, ?)',
      ),
      anyToken: db.prepare('SELECT 1 FROM api_token LIMIT 1').pluck(),
      clusterSecret: db
        .prepare('SELECT sealed FROM cluster_secret WHERE cluster_id = ? AND name = ?')
        .pluck(),
      // Written once: a second writer keeps the first one's secret, which may have been handed out.
      putClusterSecret: db.prepare(
        'INSERT INTO cluster_secret (cluster_id, name, sealed) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      ),
      meta: db.prepare('SELECT value FROM server_meta WHERE key = ?').pluck(),
      putMeta: db.prepare('INSERT OR REPLACE INTO server_meta (key, value) VALUES (?, ?)'),
    }
  }

  /** The role of an operator's token. Looked up by its hash, so nothing of the token is compared byte by byte. */
  roleOf(token: string): ApiRole | undefined {
    return this.#statements.roleOf.get(createHash('sha256').update(token).digest('hex')) as
      | ApiRole
      | undefined
  }

  hasAnyToken(): boolean {
    return this.#statements.anyToken.get() !== undefined
  }

  /** Makes a token; its text is returned once and kept nowhere. */
  makeToken(name: string, role: ApiRole, atMs: number): string {
    const token = randomBytes(32).toString('base64url')
    this.#statements.putToken.run(createHash('sha256').update(token).digest('hex'), name, role, atMs)
    return token
  }

  clusterSecret(clusterId: string, name: string): string | undefined {
    const sealed = this.#statements.clusterSecret.get(clusterId, name) as Buffer | undefined
    return sealed === undefined ? undefined : this.#key.unseal(sealed)
  }

  putClusterSecret(clusterId: string, name: string, text: string): void {
    this.#statements.putClusterSecret.run(clusterId, name, this.#key.seal(text))
  }

  meta(key: 'server_id' | 'last_time_ms'): string | undefined {
    return this.#statements.meta.get(key) as string | undefined
  }

  putMeta(key: 'server_id' | 'last_time_ms', value: string): void {
    this.#statements.putMeta.run(key, value)
  }
}
