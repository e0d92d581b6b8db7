import { type Ipv4, UNSPECIFIED } from '../net/ipv4.ts'
import { type Mac, macFromBytes, macToBytes } from '../net/mac.ts'

/** Message types of option 53 in the order of their numbers, from 1 (RFC 2132 §9.6). */
export const MESSAGE_TYPES = [
  'discover',
  'offer',
  'request',
  'decline',
  'ack',
  'nak',
  'release',
  'inform',
] as const
export type MessageType = (typeof MESSAGE_TYPES)[number]

/** Option codes by their plain names (RFC 2132 unless a comment says otherwise). */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostName: 12,
  domainName: 15,
  broadcastAddress: 28,
  ntp: 42,
  vendorOptions: 43,
  requestedAddress: 50,
  leaseSeconds: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maxMessageSize: 57,
  renewalSeconds: 58,
  rebindingSeconds: 59,
  vendorClass: 60,
  clientId: 61,
  tftpServer: 66,
  bootFile: 67,
  userClass: 77, // RFC 3004
  relayAgent: 82, // RFC 3046
  architecture: 93, // RFC 4578 §2.1
  networkInterface: 94, // RFC 4578 §2.2
  machineUuid: 97, // RFC 4578 §2.3
  subnetSelection: 118, // RFC 3011
  domainSearch: 119, // RFC 3397
  ipxe: 175, // Etherboot's encapsulated options
  configFile: 209, // RFC 5071
  end: 255,
} as const

export const BROADCAST_FLAG = 0x8000

/**
 * A DHCPv4 message with its field names as RFC 2131 has them. The same type serves both directions, so that a client
 * and a server speak through one codec.
 */
export interface DhcpPacket {
  /** 1: from a client; 2: from a server. */
  readonly op: 1 | 2
  /** Option 53; every packet has one, so it stands here and not among the options. */
  readonly messageType: MessageType
  readonly htype: number
  readonly hlen: number
  readonly hops: number
  readonly xid: number
  readonly secs: number
  readonly flags: number
  readonly ciaddr: Ipv4
  readonly yiaddr: Ipv4
  readonly siaddr: Ipv4
  readonly giaddr: Ipv4
  /** All 16 bytes, padding included: replies copy it whole. */
  readonly chaddr: Uint8Array
  /** One character a byte (latin1) up to the first NUL; empty when the field carried options (52). */
  readonly sname: string
  readonly file: string
  /** Values by code, in order of first appearance, without 52 and 53; repeated codes joined (RFC 3396). */
  readonly options: ReadonlyMap<number, Uint8Array>
}

/** A packet with every field zero but those given: what both ends start from. */
export function packetOf(
  fields: Partial<DhcpPacket> & Pick<DhcpPacket, 'op' | 'messageType' | 'xid'>,
): DhcpPacket {
  return {
    htype: 1,
    hlen: 6,
    hops: 0,
    secs: 0,
    flags: 0,
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr: new Uint8Array(16),
    sname: '',
    file: '',
    options: new Map(),
    ...fields,
  }
}

const NO_MAC = '00:00:00:00:00:00'
const ETHERNET = 1
const IEEE_802 = 6

/**
 * The client's Ethernet address.
 *
 * @returns undefined for other hardware types, and for addresses that no single card can have (all zero, multicast).
 */
export function clientMac(packet: DhcpPacket): Mac | undefined {
  if (packet.hlen !== 6 || (packet.htype !== ETHERNET && packet.htype !== IEEE_802)) return undefined
  const { chaddr } = packet
  if (((chaddr[0] ?? 1) & 1) === 1) return undefined
  const mac = macFromBytes(chaddr)
  return mac === NO_MAC ? undefined : mac
}

/** `chaddr` of an Ethernet client: the six bytes of the MAC and ten zeros. */
export function chaddrOf(mac: Mac): Uint8Array {
  const chaddr = new Uint8Array(16)
  chaddr.set(macToBytes(mac))
  return chaddr
}

/** True when a relay agent forwarded the packet: only then is anything that a relay may add to be believed. */
export function isRelayed(packet: DhcpPacket): boolean {
  return packet.giaddr !== UNSPECIFIED
}
