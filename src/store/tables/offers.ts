import type { Offer } from '../../model/lease.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

/**
 * Offers, in memory: they promise nothing that a restart could break. A rollback takes back what was changed since, as
 * it does for rows. There are never more of them than addresses, and one at most for each client of a subnet.
 */
export class Offers {
  /** By subnet and MAC: putting both together into one key would cost more than to look twice. */
  readonly #bySubnet = new Map<string, Map<Mac, Offer>>()
  readonly #byAddress = new Map<Ipv4, Offer>()
  /** The changes of the transaction that is open, oldest first. */
  readonly #changes: { readonly isPut: boolean; readonly offer: Offer }[] = []

  byMac(subnet: string, mac: Mac): Offer | undefined {
    return this.#bySubnet.get(subnet)?.get(mac)
  }

  at(address: Ipv4): Offer | undefined {
    return this.#byAddress.get(address)
  }

  /** The offers of a subnet that have not ended. */
  runningIn(subnet: string, nowMs: number): readonly Offer[] {
    const running: Offer[] = []
    for (const offer of this.#bySubnet.get(subnet)?.values() ?? []) {
      if (offer.expiresAtMs > nowMs) running.push(offer)
    }
    return running
  }

  /** The offer takes the place of the client's last one, and of whosever stood at the address. */
  put(offer: Offer): void {
    const { subnet, mac, address } = offer
    const other = this.#byAddress.get(address)
    if (other !== undefined && other.mac !== mac) this.drop(other.subnet, other.mac)
    this.drop(subnet, mac)
    this.#changes.push({ isPut: true, offer })
    this.#set(offer)
  }

  drop(subnet: string, mac: Mac): void {
    const offer = this.byMac(subnet, mac)
    if (offer === undefined) return
    this.#changes.push({ isPut: false, offer })
    this.#delete(offer)
  }

  /** The point that `undoTo` goes back to. */
  get mark(): number {
    return this.#changes.length
  }

  undoTo(mark: number): void {
    for (const { isPut, offer } of this.#changes.splice(mark).reverse()) {
      if (isPut) this.#delete(offer)
      else this.#set(offer)
    }
  }

  /** Called after COMMIT: what was changed stays. */
  settle(): void {
    this.#changes.length = 0
  }

  #set(offer: Offer): void {
    const { subnet, mac, address } = offer
    const ofSubnet = this.#bySubnet.get(subnet)
    if (ofSubnet === undefined) this.#bySubnet.set(subnet, new Map([[mac, offer]]))
    else ofSubnet.set(mac, offer)
    this.#byAddress.set(address, offer)
  }

  #delete({ subnet, mac, address }: Offer): void {
    this.#bySubnet.get(subnet)?.delete(mac)
    this.#byAddress.delete(address)
  }
}
