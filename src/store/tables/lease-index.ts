import { type Ipv4, ipv4ToNumber } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { WholeIndex } from './whole-index.ts'

/** What is there to be indexed, as the rows stand. */
export interface LeaseKeys {
  /** Each MAC with how many rows it has over all subnets. */
  macs(): readonly (readonly [Mac, number])[]
  /** Each address, as a number, that has a row. */
  addresses(): readonly number[]
}

/**
 * Who has a lease row and which addresses have one, ended ones included: a client that comes for the first time, and an
 * address that nobody ever had, cost no query. To be asked before a row is written, then told.
 */
export class LeaseIndex {
  readonly #rowsOfMac: WholeIndex<Mac, number>
  /** Each with 1 row: the index by address is unique. */
  readonly #rowAt: WholeIndex<number, 1>

  constructor(keys: LeaseKeys) {
    this.#rowsOfMac = new WholeIndex(() => keys.macs())
    this.#rowAt = new WholeIndex(() => keys.addresses().map((number) => [number | 0, 1]))
  }

  hasMac(mac: Mac): boolean {
    return this.#rowsOfMac.get(mac) !== undefined
  }

  hasAddress(address: Ipv4): boolean {
    return this.#rowAt.get(keyOf(address)) !== undefined
  }

  /** @param before the address that the row named; undefined: the row is new. */
  put(mac: Mac, address: Ipv4, before: Ipv4 | undefined): void {
    if (before === undefined) this.#count(mac, 1)
    else this.#rowAt.drop(keyOf(before))
    this.#rowAt.put(keyOf(address), 1)
  }

  drop(mac: Mac, address: Ipv4): void {
    this.#count(mac, -1)
    this.#rowAt.drop(keyOf(address))
  }

  /** Called after COMMIT. */
  settle(): void {
    this.#rowsOfMac.settle()
    this.#rowAt.settle()
  }

  /** Called after a rollback. */
  forgetChanges(): void {
    this.#rowsOfMac.forgetChanges()
    this.#rowAt.forgetChanges()
  }

  #count(mac: Mac, change: 1 | -1): void {
    const rows = (this.#rowsOfMac.get(mac) ?? 0) + change
    if (rows > 0) this.#rowsOfMac.put(mac, rows)
    else this.#rowsOfMac.drop(mac)
  }
}

/** The address as a small integer, which a map finds without a number object. */
function keyOf(address: Ipv4): number {
  return ipv4ToNumber(address) | 0
}
