import { createHash, randomBytes } from 'node:crypto'
import type { RestoredBy } from '../../policy/cluster/decide-restored.ts'
import type { Db } from '../open-database.ts'
import type { ServerKey } from '../server-key.ts'

const CREDENTIAL = 'credential:'

export type ApiRole = 'admin' | 'operator' | 'viewer'

/** The operator's tokens (by hash only), the secrets made for clusters (sealed), and the server's own facts. */
export class SecretsTable {
  readonly #key: ServerKey
  readonly #statements

  constructor(db: Db, key: ServerKey) {
    this.#key = key
    this.#statements = {
      roleOf: db.prepare('SELECT role FROM api_token WHERE token_sha256 = ?').pluck(),
      nameOf: db.prepare('SELECT name FROM api_token WHERE token_sha256 = ?').pluck(),
      putToken: db.prepare(
        'INSERT INTO api_token (token_sha256, name, role, created_at_ms) VALUES (?, ?, ?, ?)',
      ),
      anyToken: db.prepare('SELECT 1 FROM api_token LIMIT 1').pluck(),
      clusterSecret: db
        .prepare(
          'SELECT sealed FROM cluster_secret WHERE cluster_id = ? AND name = ? AND handed_over_at_ms IS NULL',
        )
        .pluck(),
      // Written once: a second writer keeps the first one's secret, which may have been handed out. Only one that was
      // handed over and forgotten makes room for the next, of another founding.
      putClusterSecret: db.prepare(`
        INSERT INTO cluster_secret (cluster_id, name, sealed) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET sealed = excluded.sealed, handed_over_at_ms = NULL
        WHERE handed_over_at_ms IS NOT NULL`),
      forgetClusterSecret: db.prepare(`
        UPDATE cluster_secret SET sealed = x'', handed_over_at_ms = ? WHERE cluster_id = ? AND name = ?`),
      handedOverAt: db
        .prepare('SELECT handed_over_at_ms FROM cluster_secret WHERE cluster_id = ? AND name = ?')
        .pluck(),
      serviceCredential: db
        .prepare('SELECT sealed FROM cluster_secret WHERE cluster_id = ? AND name = ?')
        .pluck(),
      putServiceCredential: db.prepare(`
        INSERT INTO cluster_secret (cluster_id, name, sealed) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET sealed = excluded.sealed`),
      dropServiceCredential: db.prepare('DELETE FROM cluster_secret WHERE cluster_id = ? AND name = ?'),
      credentialNames: db
        .prepare(
          "SELECT name FROM cluster_secret WHERE cluster_id = ? AND name >= 'credential:' AND name < 'credential;' ORDER BY name",
        )
        .pluck(),
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

  /** The name that the audit gives for what this token does. */
  nameOf(token: string): string | undefined {
    return this.#statements.nameOf.get(createHash('sha256').update(token).digest('hex')) as string | undefined
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

  /** Keeps only when it was handed over. */
  forgetClusterSecret(clusterId: string, name: string, atMs: number): void {
    this.#statements.forgetClusterSecret.run(atMs, clusterId, name)
  }

  handedOverAtMs(clusterId: string, name: string): number | undefined {
    return (this.#statements.handedOverAt.get(clusterId, name) as number | null | undefined) ?? undefined
  }

  /** What an operator gave for the server's own calls of a service: the value of an `Authorization` header. */
  serviceCredential(clusterId: string, service: string): string | undefined {
    const sealed = this.#statements.serviceCredential.get(clusterId, CREDENTIAL + service) as
      | Buffer
      | undefined
    return sealed === undefined ? undefined : this.#key.unseal(sealed)
  }

  putServiceCredential(clusterId: string, service: string, text: string): void {
    this.#statements.putServiceCredential.run(clusterId, CREDENTIAL + service, this.#key.seal(text))
  }

  dropServiceCredential(clusterId: string, service: string): void {
    this.#statements.dropServiceCredential.run(clusterId, CREDENTIAL + service)
  }

  /** The services of a cluster that have a credential, by name. */
  servicesWithCredential(clusterId: string): readonly string[] {
    const names = this.#statements.credentialNames.all(clusterId) as string[]
    return names.map((name) => name.slice(CREDENTIAL.length))
  }

  /** Set while the database is one that was put back and nobody has frozen its clusters yet. */
  restoredBy(): RestoredBy | undefined {
    const by = this.#statements.meta.get('restored_by')
    return by === 'restore' || by === 'take-over' ? by : undefined
  }

  meta(key: 'server_id' | 'last_time_ms'): string | undefined {
    return this.#statements.meta.get(key) as string | undefined
  }

  putMeta(key: 'server_id' | 'last_time_ms' | 'restored_by', value: string): void {
    this.#statements.putMeta.run(key, value)
  }
}
