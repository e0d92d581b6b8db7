import { type Ipv4Range, ipv4ToNumber, rangeContains } from '../../net/ipv4.ts'
import type { LeasesTable } from './leases.ts'
import type { Offers } from './offers.ts'
import type { QuarantinesTable } from './quarantines.ts'

/** A pool of so many addresses at most is counted for everybody who asks. */
const SMALL_POOL = 4096
const COUNTED_FOR_MS = 1000

/**
 * How many addresses of a pool nobody else can have now. To count the leases of a /15 takes milliseconds, and strangers
 * may ask hundreds of times a second: a large pool is counted once a second, and whoever asked since then is taken to
 * have got an address.
 */
export class PoolCounts {
  readonly #leases: Pick<LeasesTable, 'activeAt' | 'heldIn'>
  readonly #offers: Pick<Offers, 'runningIn'>
  readonly #quarantines: Pick<QuarantinesTable, 'addressesIn'>
  readonly #counted = new Map<string, { readonly atMs: number; readonly taken: number; asked: number }>()

  constructor(
    leases: Pick<LeasesTable, 'activeAt' | 'heldIn'>,
    offers: Pick<Offers, 'runningIn'>,
    quarantines: Pick<QuarantinesTable, 'addressesIn'>,
  ) {
    this.#leases = leases
    this.#offers = offers
    this.#quarantines = quarantines
  }

  /** Leased, offered or in quarantine; of a large pool never fewer than strangers can have taken. */
  takenIn(subnet: string, pool: Ipv4Range, nowMs: number): number {
    if (ipv4ToNumber(pool.last) - ipv4ToNumber(pool.first) < SMALL_POOL)
      return this.#count(subnet, pool, nowMs)
    const key = `${subnet} ${pool.first}-${pool.last}`
    const known = this.#counted.get(key)
    if (known === undefined || nowMs - known.atMs >= COUNTED_FOR_MS) {
      const taken = this.#count(subnet, pool, nowMs)
      this.#counted.set(key, { atMs: nowMs, taken, asked: 1 })
      return taken
    }
    known.asked += 1
    return known.taken + known.asked - 1
  }

  #count(subnet: string, pool: Ipv4Range, nowMs: number): number {
    const offered = this.#offers
      .runningIn(subnet, nowMs)
      .filter(
        ({ address }) => rangeContains(pool, address) && this.#leases.activeAt(address, nowMs) === undefined,
      )
    const quarantined = this.#quarantines
      .addressesIn(subnet, nowMs)
      .filter((address) => rangeContains(pool, address))
    return this.#leases.heldIn(subnet, pool, nowMs) + offered.length + quarantined.length
  }
}
