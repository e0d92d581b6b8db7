import { createHash } from 'node:crypto'
import type { Redemption } from '../../model/cluster.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { BootToken } from '../../policy/first-boot/redeem-snapshot.ts'
import type { Db } from '../open-database.ts'
import type { ServerKey } from '../server-key.ts'
import { RowCache } from './row-cache.ts'
import type { Row } from './rows.ts'

/** The last minted tokens of an attempt that are still good; older ones are void. */
const TOKENS_KEPT = 3
/** Boots whose tokens are remembered: those that ask for their script again and again. */
const MOST_BOOTS_CACHED = 8192

/** Boot tokens by their hash, and what was redeemed with them. Which of a boot are not void is remembered: `RowCache`. */
export class RedemptionsTable {
  readonly #key: ServerKey
  /** By boot: hashes of its tokens that are not void, the newest last. */
  readonly #standing: RowCache<string, readonly string[]>
  readonly #statements

  constructor(db: Db, key: ServerKey, mostCached: number) {
    this.#key = key
    this.#standing = new RowCache(Math.min(mostCached, MOST_BOOTS_CACHED))
    this.#statements = {
      token: db.prepare('SELECT * FROM boot_token WHERE token_sha256 = ?'),
      mint: db.prepare(`
        INSERT INTO boot_token (token_sha256, boot_id, machine_id, address, minted_at_ms, expires_at_ms, cap_ms)
        VALUES (?, ?, ?, ?, ?, ?, ?)`),
      // `+?`: see machines.ts.
      standing: db
        .prepare(`
          SELECT token_sha256 FROM boot_token WHERE boot_id = +? AND revoked_at_ms IS NULL ORDER BY minted_at_ms`)
        .pluck(),
      void: db.prepare('UPDATE boot_token SET revoked_at_ms = ? WHERE token_sha256 = ?'),
      spend: db.prepare('UPDATE boot_token SET spent_at_ms = ? WHERE boot_id = ? AND spent_at_ms IS NULL'),
      revoke: db
        .prepare(`
          UPDATE boot_token SET revoked_at_ms = ?
          WHERE machine_id = ? AND spent_at_ms IS NULL AND revoked_at_ms IS NULL RETURNING boot_id`)
        .pluck(),
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

  /** Hashes of the boot's tokens that are not void, spent ones included, the newest last. */
  standingOf(bootId: string): readonly string[] {
    return this.#standing.get(bootId, () => this.#statements.standing.all(bootId) as string[]) ?? []
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
    const standing = [...this.standingOf(bootId), tokenSha256]
    this.#statements.mint.run(tokenSha256, bootId, machineId, address, atMs, expiresAtMs, capMs)
    for (const older of standing.splice(0, standing.length - TOKENS_KEPT)) {
      this.#statements.void.run(atMs, older)
    }
    this.#standing.put(bootId, standing)
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
    this.revokeOf(machineId, atMs)
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
    for (const bootId of this.#statements.revoke.all(atMs, machineId)) this.#standing.forget(bootId as string)
  }

  extend(bootId: string, atMs: number, untilMs: number): void {
    this.#statements.extendOfBoot.run({ bootId, atMs, untilMs })
  }

  /** F14: the time in which the server was down is given back to tokens that were good when it began, within their cap. */
  extendByDowntime({ fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number }): void {
    this.#statements.extend.run(untilMs - fromMs, fromMs)
  }

  forgetCache(): void {
    this.#standing.forgetAll()
  }
}

export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
