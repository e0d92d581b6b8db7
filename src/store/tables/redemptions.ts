import { createHash } from 'node:crypto'
import type { Redemption } from '../../model/cluster.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { BootToken } from '../../policy/first-boot/redeem-snapshot.ts'
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
      // One token too many at a time, found from the newest: what a machine minted before costs no mint anything.
      voidOldest: db.prepare(`
        UPDATE boot_token SET revoked_at_ms = @atMs WHERE token_sha256 = (
          SELECT token_sha256 FROM boot_token WHERE boot_id = @bootId AND revoked_at_ms IS NULL
          ORDER BY minted_at_ms DESC, token_sha256 = @tokenSha256 DESC LIMIT 1 OFFSET ${TOKENS_KEPT})`),
      spend: db.prepare('UPDATE boot_token SET spent_at_ms = ? WHERE boot_id = ? AND spent_at_ms IS NULL'),
      revoke: db.prepare(
        'UPDATE boot_token SET revoked_at_ms = ? WHERE machine_id = ? AND spent_at_ms IS NULL AND revoked_at_ms IS NULL',
      ),
      put: db.prepare(`
        INSERT INTO redemption (boot_id, cluster_id, epoch, bootstrap, nonce, address, config_sha256, config_sealed,
          settled_sha256, redeemed_at_ms)
        VALUES (@bootId, @clusterId, @epoch, @bootstrap, @nonce, @address, @configSha256, @configSealed, @settledSha256, @atMs)`),
      ofBoot: db.prepare(
        'SELECT cluster_id, nonce, address, config_sealed FROM redemption WHERE boot_id = ?',
      ),
      hashes: db.prepare('SELECT config_sha256, settled_sha256 FROM redemption WHERE boot_id = ?'),
      forget: db.prepare('UPDATE redemption SET config_sealed = NULL WHERE boot_id = ?'),
      extendOfBoot: db.prepare(`
        UPDATE boot_token SET expires_at_ms = max(expires_at_ms, min(cap_ms, @untilMs))
        WHERE boot_id = @bootId AND spent_at_ms IS NULL AND revoked_at_ms IS NULL AND expires_at_ms > @atMs`),
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
      address: row.address as Ipv4,
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
    this.#statements.voidOldest.run({ bootId, atMs, tokenSha256 })
  }

  /** Spends the boot's tokens and writes down what was handed out; the machine's other tokens are void. */
  redeem(
    redemption: Omit<Redemption, 'configSha256'>,
    machineId: string,
    configText: string,
    settledText: string,
    atMs: number,
  ): void {
    this.#statements.put.run({
      epoch: null,
      ...redemption,
      bootstrap: redemption.bootstrap ? 1 : 0,
      configSha256: sha256Of(configText),
      settledSha256: sha256Of(settledText),
      configSealed: this.#key.seal(configText),
      atMs,
    })
    this.#statements.spend.run(atMs, redemption.bootId)
    this.#statements.revoke.run(atMs, machineId)
  }

  ofBoot(
    bootId: string,
  ): { clusterId: string; nonce: string; address: Ipv4; configText?: string } | undefined {
    const row = this.#statements.ofBoot.get(bootId) as Row | undefined
    if (row === undefined) return undefined
    const sealed: Buffer | null = row.config_sealed
    const common = {
      clusterId: row.cluster_id as string,
      nonce: row.nonce as string,
      address: row.address as Ipv4,
    }
    return sealed === null ? common : { ...common, configText: this.#key.unseal(sealed) }
  }

  /** What was given in a boot, and what was settled then, as hashes. */
  hashesOf(bootId: string): { configSha256: string; settledSha256: string } | undefined {
    const row = this.#statements.hashes.get(bootId) as Row | undefined
    return row === undefined
      ? undefined
      : { configSha256: row.config_sha256, settledSha256: row.settled_sha256 }
  }

  forgetConfig(bootId: string): void {
    this.#statements.forget.run(bootId)
  }

  revokeOf(machineId: string, atMs: number): void {
    this.#statements.revoke.run(atMs, machineId)
  }

  extend(bootId: string, atMs: number, untilMs: number): void {
    this.#statements.extendOfBoot.run({ bootId, atMs, untilMs })
  }

  /** F14: the time in which the server was down is given back to tokens that were good when it began, within their cap. */
  extendByDowntime({ fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number }): void {
    this.#statements.extend.run(untilMs - fromMs, fromMs)
  }
}

export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
