import type { Subnet } from '../model/subnet.ts'
import { cidrContains, type Ipv4, ipv4FromNumber, ipv4ToNumber, parseIpv4 } from '../net/ipv4.ts'
import { type Interfaces, servesOwnLink } from './check.ts'
import type { Config } from './config.ts'
import type { Complaint } from './messages.ts'
import type { Surroundings } from './surroundings.ts'

/** Further links with our address on each; one that has none is complained of. */
export function linksOf(
  names: readonly string[],
  where: string,
  { interfaces }: Surroundings,
  complaints: Complaint[],
): NonNullable<Config['furtherLinks']> {
  return names.flatMap((name) => {
    const address = addressOfInterface(name, interfaces)
    if (address !== undefined) return [{ interface: name, address }]
    const want = `an interface with an IPv4 address: ${Object.keys(interfaces).join(', ')}`
    complaints.push({ where, key: 'further_interfaces', got: name, want })
    return []
  })
}

/** Machines of a further link reach this server at its address there, unless their subnet says otherwise. */
export function reachedByLink(subnet: Subnet, links: NonNullable<Config['furtherLinks']>): Subnet {
  if (subnet.bootAddress !== undefined) return subnet
  const link = links.find(({ address }) => cidrContains(subnet.cidr, address))
  return link === undefined ? subnet : { ...subnet, bootAddress: link.address }
}

export function addressOfInterface(name: string | undefined, interfaces: Interfaces): Ipv4 | undefined {
  const infos = name === undefined ? [] : (interfaces[name] ?? [])
  return infos.map((info) => parseIpv4(info.address)).find((address) => address !== undefined)
}

/**
 * Where a server that may be another machine is likely to be, when its file does not say: the interface's address if it
 * is in a subnet, else the first subnet's boot address or first host.
 */
export function likelyAddress(subnets: readonly Subnet[], here: Ipv4 | undefined): Ipv4 | undefined {
  if (here !== undefined && servesOwnLink(subnets, here)) return here
  const [first] = subnets
  return first && (first.bootAddress ?? ipv4FromNumber(ipv4ToNumber(first.cidr.network) + 1))
}
