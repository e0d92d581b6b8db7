import { type DhcpPacket, isRelayed } from '../../dhcp/packet.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import { BROADCAST, cidrContains, type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import type { DhcpRequest } from './question.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** Where a reply goes and which socket it leaves from. */
export interface ReplyDestination {
  readonly address: Ipv4
  readonly port: number
  /**
   * Whose port that is. A server that runs on other ports than the registered ones puts its own numbers in place of 67
   * (`relay`) and 68 (`client`), and keeps `source`, which was read from the request.
   */
  readonly towards: 'client' | 'relay' | 'source'
  /** `dhcp`: port 67 of our own address; `pxe`: port 4011. */
  readonly from: 'dhcp' | 'pxe'
}

const SERVER_PORT = 67
const CLIENT_PORT = 68

/**
 * Where a reply goes (RFC 2131 §4.1, RFC 8357 for a relay on another port). A client without an address is broadcast
 * to even when it did not ask for that: RFC 2131 allows it, and without raw sockets nothing can reach an address that
 * answers no ARP yet.
 *
 * @returns undefined when there is nowhere to send: an INFORM from 0.0.0.0, a question to 4011 that names no port (RFC 768).
 */
export function replyDestination(
  snapshot: DhcpSnapshot,
  request: DhcpRequest,
  reply: 'offer' | 'ack' | 'nak',
): ReplyDestination | undefined {
  const { packet, arrival } = request
  const { ciaddr } = packet
  if (arrival.socket === 'pxe') {
    // Firmware asks from a port of its own choice; iPXE drops an answer that does not come from 4011.
    if (arrival.sourcePort === 0) return undefined
    return { address: arrival.sourceAddress, port: arrival.sourcePort, towards: 'source', from: 'pxe' }
  }
  const isInform = packet.messageType === 'inform'
  if (isInform && ciaddr !== UNSPECIFIED) return toClient(ciaddr)
  if (isRelayed(packet)) return toRelay(request)
  if (reply === 'nak') {
    // RFC 2131 §4.3.2: it MUST be broadcast; but a unicast came from behind a router, where only ciaddr leads to.
    const isRouted = arrival.socket === 'unicast' && ciaddr !== UNSPECIFIED && !isOnLink(snapshot, ciaddr)
    return toClient(isRouted ? ciaddr : BROADCAST)
  }
  if (ciaddr !== UNSPECIFIED) return toClient(ciaddr)
  if (isInform) return arrival.sourceAddress === UNSPECIFIED ? undefined : toClient(arrival.sourceAddress)
  return toClient(BROADCAST)
}

/** Where a proxy OFFER goes: never to ciaddr, which another server gave. */
export function proxyOfferDestination(request: DhcpRequest): ReplyDestination {
  return isRelayed(request.packet) ? toRelay(request) : toClient(BROADCAST)
}

/** RFC 8357: to the relay's own port where it says so, and has one. */
function toRelay({ packet, arrival }: DhcpRequest): ReplyDestination {
  const { giaddr: address } = packet
  return relayAgentOf(packet)?.wantsSourcePort === true && arrival.sourcePort !== 0
    ? { address, port: arrival.sourcePort, towards: 'source', from: 'dhcp' }
    : { address, port: SERVER_PORT, towards: 'relay', from: 'dhcp' }
}

function toClient(address: Ipv4): ReplyDestination {
  return { address, port: CLIENT_PORT, towards: 'client', from: 'dhcp' }
}

/** True when the address is on the server's own link, as far as the asking subnet shows. */
function isOnLink(snapshot: DhcpSnapshot, address: DhcpPacket['ciaddr']): boolean {
  const { subnet, settings } = snapshot
  if (subnet === undefined || !cidrContains(subnet.cidr, settings.serverAddress)) return false
  return cidrContains(subnet.cidr, address)
}
