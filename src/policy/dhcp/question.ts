import { requestedAddressOf, subnetSelectionOf } from '../../dhcp/options.ts'
import { clientMac, type DhcpPacket, isRelayed, OPTION } from '../../dhcp/packet.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { Lease, Offer } from '../../model/lease.ts'
import type { Machine } from '../../model/machine.ts'
import type { Subnet } from '../../model/subnet.ts'
import { cidrContains, type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

/** How a datagram reached the server. */
export interface Arrival {
  /** `broadcast`: the socket that hears broadcasts; `unicast`: the one on our own address; `pxe`: port 4011. */
  readonly socket: 'broadcast' | 'unicast' | 'pxe'
  readonly sourceAddress: Ipv4
  readonly sourcePort: number
}

/** One DHCP message to be answered. */
export interface DhcpRequest {
  readonly packet: DhcpPacket
  readonly arrival: Arrival
}

/** What the store must read before the message can be decided. */
export interface DhcpQuestion {
  /** Undefined when the client has no Ethernet address: there is nothing to read then. */
  readonly mac?: Mac
  /** Undefined when no served subnet fits. */
  readonly subnet?: Subnet
  /** The address that the message is about: option 50, else ciaddr. */
  readonly requested?: Ipv4
}

/** Says what a message is about: whose it is, in which subnet, and which address it names. */
export function questionOf(
  request: DhcpRequest,
  subnets: readonly Subnet[],
  serverAddress: Ipv4,
): DhcpQuestion {
  const packet = withTrustedCiaddr(request.packet)
  const mac = clientMac(packet)
  const subnet = subnetOf(packet, request.arrival, subnets, serverAddress)
  const requested = requestedOf(packet)
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(subnet === undefined ? {} : { subnet }),
    ...(requested === undefined ? {} : { requested }),
  }
}

/** The address that a message is about: option 50, else ciaddr; undefined when it names none. */
export function requestedOf(packet: DhcpPacket): Ipv4 | undefined {
  return requestedAddressOf(packet) ?? (packet.ciaddr === UNSPECIFIED ? undefined : packet.ciaddr)
}

/**
 * The packet with ciaddr zeroed where it must be zero by RFC 2131 table 5: in a DISCOVER, and in a REQUEST with option
 * 50. Some clients leave an old address there, and a reply sent to it would be lost.
 */
export function withTrustedCiaddr(packet: DhcpPacket): DhcpPacket {
  if (packet.ciaddr === UNSPECIFIED) return packet
  const mustBeZero =
    packet.messageType === 'discover' ||
    (packet.messageType === 'request' && packet.options.has(OPTION.requestedAddress))
  return mustBeZero ? { ...packet, ciaddr: UNSPECIFIED } : packet
}

/**
 * Which subnet a client is in: what the relay selects (82.5, RFC 3527), else option 118 (RFC 3011), else the relay's
 * own address, else ciaddr of a routed unicast, else the link that the packet arrived on. A choice that names no served
 * subnet is no choice of another one.
 */
function subnetOf(
  packet: DhcpPacket,
  arrival: Arrival,
  subnets: readonly Subnet[],
  serverAddress: Ipv4,
): Subnet | undefined {
  const holding = (address: Ipv4) => subnets.find((subnet) => cidrContains(subnet.cidr, address))
  const selected = relayAgentOf(packet)?.linkSelection ?? subnetSelectionOf(packet)
  if (selected !== undefined) return holding(selected)
  if (isRelayed(packet)) return holding(packet.giaddr)
  // A broadcast comes from this very link, whatever address its sender thinks it still has.
  const routed =
    arrival.socket !== 'broadcast' && packet.ciaddr !== UNSPECIFIED ? holding(packet.ciaddr) : undefined
  return routed ?? holding(serverAddress)
}

/** The addresses whose holders a decision may look at, each once. */
export function addressesToRead(
  question: DhcpQuestion,
  machine: Machine | undefined,
  lease: Lease | undefined,
  offer: Offer | undefined,
): readonly Ipv4[] {
  const wanted = [question.requested, machine?.reservedAddress, lease?.address, offer?.address]
  return [...new Set(wanted.filter((address) => address !== undefined))]
}
