import type { Ipv4 } from '../../net/ipv4.ts'

const MOST_ADDRESSES = 16_384

/**
 * Addresses whose firmware bears only small TFTP blocks, as a quirk says; in memory, since firmware asks by TFTP right
 * after its lease. The next thing that asks for a lease at the address (its iPXE) takes the cap away again.
 */
export class BlockCaps {
  readonly #bytes = new Map<Ipv4, number>()

  note(address: Ipv4, mostBytes: number | undefined): void {
    this.#bytes.delete(address)
    if (mostBytes === undefined) return
    this.#bytes.set(address, mostBytes)
    const [oldest] = this.#bytes.keys()
    if (this.#bytes.size > MOST_ADDRESSES && oldest !== undefined) this.#bytes.delete(oldest)
  }

  /** The largest block for an address; undefined: the server's own limit. */
  of(address: Ipv4): number | undefined {
    return this.#bytes.get(address)
  }
}
