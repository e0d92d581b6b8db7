import { addressesValue } from '../../dhcp/options.ts'
import { OPTION } from '../../dhcp/packet.ts'
import type { ExtraOption } from '../../model/extra-option.ts'
import type { Subnet } from '../../model/subnet.ts'
import { fromHex, textBytes } from '../../net/bytes.ts'
import { broadcastOf, netmaskOf } from '../../net/ipv4.ts'
import type { OptionList } from './option-list.ts'

interface NetworkOption {
  readonly code: number
  readonly value: Uint8Array
  /** True: it is sent, asked for or not. */
  readonly always: boolean
}

/**
 * Puts what a subnet's configuration says of its network, and the operator's own options for it.
 *
 * @param own the machine's options: they stand in place of the subnet's, which must not come back where a client asks
 *   for neither.
 */
export function putNetworkOptions(options: OptionList, subnet: Subnet, own: readonly ExtraOption[]): void {
  let known = ofSubnet.get(subnet)
  if (known === undefined) {
    known = optionsOf(subnet)
    ofSubnet.set(subnet, known)
  }
  if (own.length === 0) return putAll(options, known)
  const others = known.filter((one) => own.every(({ code }) => code !== one.code))
  putAll(options, [...others, ...own.map(written)])
}

/** The same for every machine of a subnet, and a dozen values to write. */
const ofSubnet = new WeakMap<Subnet, readonly NetworkOption[]>()

function optionsOf(subnet: Subnet): readonly NetworkOption[] {
  const { cidr, router, dns, domain, ntp, options = [] } = subnet
  const wanted = (code: number, value: Uint8Array): NetworkOption => ({ code, value, always: false })
  return [
    // EDK2 gives up a lease without a netmask, asked for or not.
    { code: OPTION.subnetMask, value: addressesValue([netmaskOf(cidr.prefixBits)]), always: true },
    wanted(OPTION.broadcastAddress, addressesValue([broadcastOf(cidr)])),
    ...(router === undefined ? [] : [wanted(OPTION.router, addressesValue([router]))]),
    ...(dns.length === 0 ? [] : [wanted(OPTION.dns, addressesValue(dns))]),
    ...(domain === undefined ? [] : [wanted(OPTION.domainName, textBytes(domain))]),
    ...(ntp.length === 0 ? [] : [wanted(OPTION.ntp, addressesValue(ntp))]),
    ...options.map(written),
  ]
}

function written({ code, hex, always }: ExtraOption): NetworkOption {
  const value = fromHex(hex)
  if (value === undefined) throw new Error(`option ${code} is stored as ${hex}, want hex`)
  return { code, value, always }
}

function putAll(options: OptionList, all: readonly NetworkOption[]): void {
  for (const { code, value, always } of all) {
    if (always) options.put(code, value)
    else options.putIfWanted(code, value)
  }
}
