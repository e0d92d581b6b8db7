import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from './ipv4.ts'

/** A UDP datagram over IPv4, as it stood in a frame. */
export interface UdpDatagram {
  readonly source: Ipv4
  readonly sourcePort: number
  readonly destination: Ipv4
  readonly destinationPort: number
  readonly payload: Uint8Array
}

const IPV4_TYPE = 0x0800
const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8]
const UDP = 17
const IP_HEADER_BYTES = 20
const UDP_HEADER_BYTES = 8

/** Where the IPv4 header begins, by the link type of a capture; undefined: no IPv4, or a link type that is not read. */
function ipv4At(linkType: number, bytes: Uint8Array): number | undefined {
  const typeAt = (at: number) => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
  switch (linkType) {
    case 1: {
      let at = 12
      while (VLAN_TYPES.includes(typeAt(at))) at += 4
      return typeAt(at) === IPV4_TYPE ? at + 2 : undefined
    }
    case 101:
    case 228:
      return 0
    case 113:
      return typeAt(14) === IPV4_TYPE ? 16 : undefined
    case 276:
      return typeAt(0) === IPV4_TYPE ? 20 : undefined
    default:
      return undefined
  }
}

/**
 * Reads the UDP datagram of a captured frame.
 *
 * @returns undefined for everything else, and for fragments: a boot client's DHCP message is never one.
 */
export function udpDatagramOf(linkType: number, frame: Uint8Array): UdpDatagram | undefined {
  const start = ipv4At(linkType, frame)
  if (start === undefined) return undefined
  const packet = frame.subarray(start)
  if (packet.length < IP_HEADER_BYTES + UDP_HEADER_BYTES) return undefined
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const headerBytes = (view.getUint8(0) & 15) * 4
  const isWhole = (view.getUint16(6) & 0x3fff) === 0
  if (view.getUint8(0) >>> 4 !== 4 || headerBytes < IP_HEADER_BYTES || view.getUint8(9) !== UDP || !isWhole)
    return undefined
  if (packet.length < headerBytes + UDP_HEADER_BYTES) return undefined
  const length = view.getUint16(headerBytes + 4)
  const end = headerBytes + length
  if (length < UDP_HEADER_BYTES || end > packet.length) return undefined
  return {
    source: ipv4FromBytes(packet, 12),
    destination: ipv4FromBytes(packet, 16),
    sourcePort: view.getUint16(headerBytes),
    destinationPort: view.getUint16(headerBytes + 2),
    payload: packet.subarray(headerBytes + UDP_HEADER_BYTES, end),
  }
}

/** The IPv4 packet that carried a datagram, made anew: its payload is what was seen, its header what must have been. */
export function ipv4PacketOf(datagram: UdpDatagram): Uint8Array {
  const { payload } = datagram
  const packet = new Uint8Array(IP_HEADER_BYTES + UDP_HEADER_BYTES + payload.length)
  const view = new DataView(packet.buffer)
  view.setUint8(0, 0x45)
  view.setUint16(2, packet.length)
  view.setUint8(8, 64)
  view.setUint8(9, UDP)
  packet.set(ipv4ToBytes(datagram.source), 12)
  packet.set(ipv4ToBytes(datagram.destination), 16)
  view.setUint16(10, headerChecksum(view))
  view.setUint16(20, datagram.sourcePort)
  view.setUint16(22, datagram.destinationPort)
  // RFC 768: a checksum of zero says that none was computed.
  view.setUint16(24, UDP_HEADER_BYTES + payload.length)
  packet.set(payload, IP_HEADER_BYTES + UDP_HEADER_BYTES)
  return packet
}

/** RFC 791 §3.1. */
function headerChecksum(view: DataView): number {
  let sum = 0
  for (let at = 0; at < IP_HEADER_BYTES; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
