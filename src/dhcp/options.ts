import { latin1 } from '../net/bytes.ts'
import { type Ipv4, ipv4FromBytes } from '../net/ipv4.ts'
import { putAddress } from './address-bytes.ts'
import { SMALLEST_PAYLOAD_MAX } from './encode.ts'
import { type DhcpPacket, OPTION } from './packet.ts'

/** Option 50: the address that the client asks for. */
export function requestedAddressOf(packet: DhcpPacket): Ipv4 | undefined {
  return addressIn(packet, OPTION.requestedAddress)
}

/** Option 54: the server that a client talks about, or that a reply comes from. */
export function serverIdOf(packet: DhcpPacket): Ipv4 | undefined {
  return addressIn(packet, OPTION.serverId)
}

/** Option 118: the subnet that an address is wanted in (RFC 3011). */
export function subnetSelectionOf(packet: DhcpPacket): Ipv4 | undefined {
  return addressIn(packet, OPTION.subnetSelection)
}

/** Option 51 in seconds. */
export function leaseSecondsOf(packet: DhcpPacket): number | undefined {
  return numberIn(packet, OPTION.leaseSeconds, 4)
}

/** Option 55: the codes that the client wants, one a byte, in its order, repeats included; undefined: it did not say. */
export function parameterListOf(packet: DhcpPacket): Uint8Array | undefined {
  return packet.options.get(OPTION.parameterList)
}

/**
 * The largest UDP payload that the client takes, from option 57. RFC 3442 counts IP and UDP headers in, iPXE and EDK2
 * do not, systemd sends the MTU: the smallest reading is the one that fits all of them.
 */
export function payloadMaxOf(packet: DhcpPacket): number {
  const size = numberIn(packet, OPTION.maxMessageSize, 2)
  return size === undefined ? SMALLEST_PAYLOAD_MAX : Math.min(Math.max(size, 576), 1500) - 28
}

/** A text option without the NULs that some clients end it with, one character a byte; escape it before showing it. */
export function textOf(packet: DhcpPacket, code: number): string | undefined {
  const value = packet.options.get(code)
  return value === undefined ? undefined : latin1(value).replace(/\0+$/, '')
}

/** The value of an option that holds addresses, four bytes each. */
export function addressesValue(addresses: readonly Ipv4[]): Uint8Array {
  const value = new Uint8Array(addresses.length * 4)
  addresses.forEach((address, index) => {
    putAddress(value, index * 4, address)
  })
  return value
}

/** Four bytes, network order. */
export function uint32Value(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** Two bytes, network order. */
export function uint16Value(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

function addressIn(packet: DhcpPacket, code: number): Ipv4 | undefined {
  const value = packet.options.get(code)
  return value?.length === 4 ? ipv4FromBytes(value) : undefined
}

function numberIn(packet: DhcpPacket, code: number, bytes: number): number | undefined {
  const value = packet.options.get(code)
  if (value?.length !== bytes) return undefined
  return value.reduce((number, byte) => number * 256 + byte, 0)
}
