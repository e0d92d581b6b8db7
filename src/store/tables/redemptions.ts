import { createHash } from 'node:crypto'
import type { Redemption } from '../../model/cluster.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { BootToken } from '../../policy/first-boot/decide-redeem.ts'
import type { Db } from '../open-database.ts'
import type { ServerKey } from '../server-key.ts'
import type { Row } from './rows.ts'

/** The last minted tokens of an attempt that are still good; older ones are void. */
const TOKENS_KEPT = 3

/** Boot tokens by their hash, and what was redeemed with them. */
export class RedemptionsTable {
  readonly #key: ServerKey
  readonly #statements

  constructor(db: Db, key: ServerKey) {
    this.#key = key
    this.#statements = {
      token: db.prepare('SELECT * FROM boot_token WHERE token_sha256 = ?'),
      mint: db.prepare(`
        INSERT INTO boot_token (token_sha256, boot_id, machine_id, address, minted_at_ms, expires_at_ms, cap_ms)
        VALUES (@tokenSha256, @bootId, @machineId, @address, @atMs, @expiresAtMs, @capMs)`),
      voidOlder: db.prepare(`
        UPDATE boot_token SET revoked_at_ms = @atMs WHERE boot_id = @bootId AND revoked_at_ms IS NULL
          AND token_sha256 NOT IN (
            SELECT token_sha256 FROM boot_token WHERE boot_id = @bootId
            ORDER BY minted_at_ms DESC, token_sha256 = @tokenSha256 DESC LIMIT ${TOKENS_KEPT})`),
      spend: db.prepare('UPDATE boot_token SET spent_at_ms = ? WHERE boot_id = ? AND spent_at_ms IS NULL'),
      revoke: db.prepare(
        'UPDATE boot_token SET revoked_at_ms = ? WHERE machine_id = ? AND spent_at_ms IS NULL AND revoked_at_ms IS NULL',
      ),
      put: db.prepare(`
        INSERT INTO redemption (boot_id, cluster_id, epoch, bootstrap, nonce, address, config_sha256, config_sealed,
          redeemed_at_ms)
        VALUES (@bootId, @clusterId, @epoch, @bootstrap, @nonce, @address, @configSha256, @configSealed, @atMs)`),
      ofBoot: db.prepare('SELECT nonce, address, config_sealed FROM redemption WHERE boot_id = ?'),
      forget: db.prepare('UPDATE redemption SET config_sealed = NULL WHERE boot_id = ?'),
      extend: db.prepare(
        'UPDATE boot_token SET expires_at_ms = min(cap_ms, expires_at_ms + ?) WHERE spent_at_ms IS NULL AND expires_at_ms > ?',
      ),
    }
  }

  token(sha256: string): BootToken | undefined {
    const row = this.#statements.token.get(sha256) as Row | undefined
    if (row === undefined) return undefined
    return {
      bootId: row.boot_id,
      machineId: row.machine_id,
      expiresAtMs: row.expires_at_ms,
      isSpent: row.spent_at_ms !== null,
      isRevoked: row.revoked_at_ms !== null,
    }
  }

  mint(token: {
    tokenSha256: string
    bootId: string
    machineId: string
    address: Ipv4
    atMs: number
    expiresAtMs: number
    capMs: number
  }): void {
    const { tokenSha256, bootId, machineId, address, atMs, expiresAtMs, capMs } = token
    this.#statements.mint.run({ tokenSha256, bootId, machineId, address, atMs, expiresAtMs, capMs })
    this.#statements.voidOlder.run({ bootId, atMs, tokenSha256 })
  }

  /** Spends the boot's tokens and writes down what was handed out; the machine's other tokens are void. */
  redeem(
    redemption: Omit<Redemption, 'configSha256'>,
    machineId: string,
    configText: string,
    atMs: number,
  ): void {
    this.#statements.put.run({
      epoch: null,
      ...redemption,
      bootstrap: redemption.bootstrap ? 1 : 0,
      configSha256: createHash('sha256').update(configText).digest('hex'),
      configSealed: this.#key.seal(configText),
      atMs,
    })
    this.#statements.spend.run(atMs, redemption.bootId)
    this.#statements.revoke.run(atMs, machineId)
  }

  ofBoot(bootId: string): { nonce: string; address: Ipv4; configText?: string } | undefined {
    const row = this.#statements.ofBoot.get(bootId) as Row | undefined
    if (row === undefined) return undefined
    const sealed: Buffer | null = row.config_sealed
    const common = { nonce: row.nonce as string, address: row.address as Ipv4 }
    return sealed === null ? common : { ...common, configText: this.#key.unseal(sealed) }
  }

  forgetConfig(bootId: string): void {
    this.#statements.forget.run(bootId)
  }

  revokeOf(machineId: string, atMs: number): void {
    this.#statements.revoke.run(atMs, machineId)
  }

  /** F14: the time in which the server was down is given back to tokens that were good when it began, within their cap. */
  extendByDowntime(downMs: number, downSinceMs: number): void {
    this.#statements.extend.run(downMs, downSinceMs)
  }
}
