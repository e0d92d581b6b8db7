import type { Ipv4 } from '../../net/ipv4.ts'

const WINDOW_MS = 1_000
const MAX_ADDRESSES = 4_096

/** How many requests each address made in the running second; bounded, so that a flood of addresses costs nothing. */
export class RequestRates {
  #counts = new Map<Ipv4, number>()
  #windowStartMs = 0

  allows(address: Ipv4, perSecond: number, nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= WINDOW_MS || this.#counts.size >= MAX_ADDRESSES) {
      this.#counts = new Map()
      this.#windowStartMs = nowMs
    }
    const count = (this.#counts.get(address) ?? 0) + 1
    this.#counts.set(address, count)
    return count <= perSecond
  }
}
