import { SpellingTable } from './spelling-table.ts'

/** An IPv4 address in dotted decimal without leading zeros, `192.0.2.1`. */
export type Ipv4 = string & { readonly brand: 'Ipv4' }

/** An IPv4 network: its first address and the length of its prefix. Host bits are zero. */
export interface Cidr {
  readonly network: Ipv4
  readonly prefixBits: number
}

/** A run of addresses, both ends included; `first` is not above `last`. */
export interface Ipv4Range {
  readonly first: Ipv4
  readonly last: Ipv4
}

export const UNSPECIFIED = '0.0.0.0' as Ipv4
export const BROADCAST = '255.255.255.255' as Ipv4

/** Reads dotted decimal. Octal-looking parts (`010`) are refused, since programs read them in two ways. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
  }
  return text as Ipv4
}

/** The address as an unsigned 32-bit number in host order, for comparing and counting. */
export function ipv4ToNumber(address: Ipv4): number {
  // Digit by digit: this stands on the way of every packet, and splitting costs ten times as much.
  let value = 0
  let part = 0
  for (let index = 0; index < address.length; index += 1) {
    const digit = address.charCodeAt(index) - 0x30
    if (digit < 0) {
      value = value * 256 + part
      part = 0
    } else {
      part = part * 10 + digit
    }
  }
  return value * 256 + part
}

/** The reverse of `ipv4ToNumber`; a value outside 32 bits is a bug. */
export function ipv4FromNumber(value: number): Ipv4 {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new RangeError(`${value} is no IPv4 address, want 0 to 4294967295`)
  }
  return spellings.get(0, value, () => spelled(value)) as Ipv4
}

/** The addresses that a hall's packets name over and over. */
const spellings = new SpellingTable(14)

function spelled(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/** The address in four bytes, network order, starting at `offset`. */
export function ipv4FromBytes(bytes: Uint8Array, offset = 0): Ipv4 {
  if (bytes.length < offset + 4)
    throw new RangeError(`an IPv4 address has ${bytes.length - offset} bytes, want 4`)
  const high = ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
  const low = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0)
  return ipv4FromNumber(high * 65_536 + low)
}

/** The four bytes of an address, network order. */
export function ipv4ToBytes(address: Ipv4): Uint8Array {
  return Uint8Array.from(address.split('.'), Number)
}

/** Reads `10.0.0.0/24`. Host bits that are set (`10.0.0.5/24`) are refused: a typing slip, more often than not. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText, bitsText, ...rest] = text.split('/')
  const address = parseIpv4(addressText ?? '')
  if (address === undefined || rest.length > 0 || !/^\d{1,2}$/.test(bitsText ?? '')) return undefined
  const prefixBits = Number(bitsText)
  if (prefixBits > 32) return undefined
  const cidr = { network: address, prefixBits }
  return networkOf(address, prefixBits) === address ? cidr : undefined
}

/** Reads `10.0.0.100-10.0.0.199`, both ends included. */
export function parseIpv4Range(text: string): Ipv4Range | undefined {
  const [firstText, lastText, ...rest] = text.split('-')
  const first = parseIpv4(firstText?.trim() ?? '')
  const last = parseIpv4(lastText?.trim() ?? '')
  if (first === undefined || last === undefined || rest.length > 0) return undefined
  return ipv4ToNumber(first) <= ipv4ToNumber(last) ? { first, last } : undefined
}

/** The subnet mask of a prefix length: 24 -> `255.255.255.0`. */
export function netmaskOf(prefixBits: number): Ipv4 {
  return ipv4FromNumber(maskOf(prefixBits))
}

function maskOf(prefixBits: number): number {
  return prefixBits === 0 ? 0 : (0xffffffff << (32 - prefixBits)) >>> 0
}

/** The first address of the network that holds `address`. */
export function networkOf(address: Ipv4, prefixBits: number): Ipv4 {
  return ipv4FromNumber((ipv4ToNumber(address) & maskOf(prefixBits)) >>> 0)
}

/** The directed broadcast address of a network, `10.0.0.255` for `10.0.0.0/24`. */
export function broadcastOf(cidr: Cidr): Ipv4 {
  return ipv4FromNumber((ipv4ToNumber(cidr.network) | ~maskOf(cidr.prefixBits)) >>> 0)
}

export function cidrContains(cidr: Cidr, address: Ipv4): boolean {
  const differing = ipv4ToNumber(address) ^ ipv4ToNumber(cidr.network)
  return (differing & maskOf(cidr.prefixBits)) === 0
}

export function rangeContains(range: Ipv4Range, address: Ipv4): boolean {
  const value = ipv4ToNumber(address)
  return value >= ipv4ToNumber(range.first) && value <= ipv4ToNumber(range.last)
}

/** True for addresses that a host of this network may have: not the network's own, not its broadcast address. */
export function isHostAddress(cidr: Cidr, address: Ipv4): boolean {
  if (!cidrContains(cidr, address)) return false
  if (cidr.prefixBits >= 31) return true // RFC 3021: both addresses of a /31 are hosts
  return address !== cidr.network && address !== broadcastOf(cidr)
}

export function formatCidr(cidr: Cidr): string {
  const known = cidrTexts.get(cidr)
  if (known !== undefined) return known
  const text = `${cidr.network}/${cidr.prefixBits}`
  cidrTexts.set(cidr, text)
  return text
}

/** A subnet is named several times for every packet, and always by the very same object. */
const cidrTexts = new WeakMap<Cidr, string>()
