import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Db } from '../open-database.ts'
import { WholeIndex } from './whole-index.ts'

/** An address that nobody gets for a while, and the client that found it taken. */
export interface Quarantine {
  readonly subnet: string
  readonly address: Ipv4
  readonly mac: Mac
  readonly untilMs: number
  readonly why: 'declined' | 'answered-probe'
}

/** Quarantined addresses; until when each is one is remembered, since it is asked for every address that is looked at. */
export class QuarantinesTable {
  readonly #untilMs: WholeIndex<Ipv4, number> | undefined
  readonly #statements

  constructor(db: Db, mostCached: number) {
    this.#statements = {
      untilMs: db.prepare('SELECT until_ms FROM quarantine WHERE address = ?').pluck(),
      put: db.prepare(
        'INSERT OR REPLACE INTO quarantine (subnet, address, until_ms, why, mac) VALUES (@subnet, @address, @untilMs, @why, @mac)',
      ),
      declines: db
        .prepare("SELECT count(*) FROM quarantine WHERE mac = ? AND until_ms > ? AND why = 'declined'")
        .pluck(),
      addressesIn: db.prepare('SELECT address FROM quarantine WHERE subnet = ? AND until_ms > ?').pluck(),
      all: db.prepare('SELECT address, until_ms FROM quarantine').raw(),
    }
    const { all } = this.#statements
    if (mostCached > 0) this.#untilMs = new WholeIndex(() => all.all() as [Ipv4, number][])
  }

  untilMs(address: Ipv4): number | undefined {
    if (this.#untilMs !== undefined) return this.#untilMs.get(address)
    return this.#statements.untilMs.get(address) as number | undefined
  }

  put({ subnet, address, untilMs, why, mac }: Quarantine): void {
    this.#statements.put.run({ subnet, address, untilMs, why, mac })
    this.#untilMs?.put(address, untilMs)
  }

  /** How many addresses are in quarantine because this client declined them. */
  declinesInForce(mac: Mac, nowMs: number): number {
    return this.#statements.declines.get(mac, nowMs) as number
  }

  /** The addresses of a subnet that are in quarantine now. */
  addressesIn(subnet: string, nowMs: number): readonly Ipv4[] {
    return this.#statements.addressesIn.all(subnet, nowMs) as Ipv4[]
  }

  /** Called after COMMIT. */
  settle(): void {
    this.#untilMs?.settle()
  }

  /** Called after a rollback. */
  forgetCache(): void {
    this.#untilMs?.forgetChanges()
  }
}
