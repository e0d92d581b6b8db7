import type { Offer } from '../../model/lease.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

/**
 * Offers, in memory: they promise nothing that a restart could break. A rollback takes back what was changed since, as
 * it does for rows. There are never more of them than addresses, and one at most for each client of a subnet.
 */
export class Offers {
  readonly #byClient = new Map<string, Offer>()
  readonly #byAddress = new Map<Ipv4, Offer>()
  /** What stood before each change of the transaction that is open, oldest first. */
  readonly #before: { readonly client: string; readonly address: Ipv4; readonly offer: Offer | undefined }[] =
    []

  byMac(subnet: string, mac: Mac): Offer | undefined {
    return this.#byClient.get(clientOf(subnet, mac))
  }

  at(address: Ipv4): Offer | undefined {
    return this.#byAddress.get(address)
  }

  /** The offer takes the place of the client's last one, and of whosever stood at the address. */
  put(offer: Offer): void {
    const { subnet, mac, address } = offer
    const other = this.#byAddress.get(address)
    if (other !== undefined && other.mac !== mac) this.drop(other.subnet, other.mac)
    this.drop(subnet, mac)
    const client = clientOf(subnet, mac)
    this.#before.push({ client, address, offer: undefined })
    this.#set(client, offer)
  }

  drop(subnet: string, mac: Mac): void {
    const client = clientOf(subnet, mac)
    const offer = this.#byClient.get(client)
    if (offer === undefined) return
    this.#before.push({ client, address: offer.address, offer })
    this.#byClient.delete(client)
    this.#byAddress.delete(offer.address)
  }

  /** The point that `undoTo` goes back to. */
  get mark(): number {
    return this.#before.length
  }

  undoTo(mark: number): void {
    for (const { client, address, offer } of this.#before.splice(mark).reverse()) {
      this.#byClient.delete(client)
      this.#byAddress.delete(address)
      if (offer !== undefined) this.#set(client, offer)
    }
  }

  /** Called after COMMIT: what was changed stays. */
  settle(): void {
    this.#before.length = 0
  }

  #set(client: string, offer: Offer): void {
    this.#byClient.set(client, offer)
    this.#byAddress.set(offer.address, offer)
  }
}

function clientOf(subnet: string, mac: Mac): string {
  return `${mac} ${subnet}`
}
