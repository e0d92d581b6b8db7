import { concatBytes, fromHex, textBytes } from '../net/bytes.ts'
import { type Ipv4, ipv4ToBytes, parseCidr, parseIpv4 } from '../net/ipv4.ts'
import type { OptionType } from './option-dictionary.ts'
import { addressesValue } from './options.ts'

/** What each type wants, for a message to the person who wrote something else. */
const WANTS: { readonly [Type in OptionType]: string } = {
  address: 'an IPv4 address, 10.77.0.1',
  addresses: 'one or more IPv4 addresses, [10.77.0.1, 10.77.0.2]',
  text: 'a text without control characters',
  uint8: 'a whole number from 0 to 255',
  uint16: 'a whole number from 0 to 65535',
  uint32: 'a whole number from 0 to 4294967295',
  int32: 'a whole number from -2147483648 to 2147483647',
  flag: 'true or false',
  domains: 'one or more DNS domains, [rack.example]',
  routes: 'one or more routes, ["10.8.0.0/16 via 10.77.0.1"]',
  hex: 'pairs of hex digits, 0a:0b:0c',
}

export const OPTION_TYPES = Object.keys(WANTS) as readonly OptionType[]

/** What a value of this type is to look like. */
export function wantedFor(type: OptionType): string {
  return WANTS[type]
}

/**
 * Writes an option's value as it stands on the wire.
 *
 * @param value as JSON or YAML has it; numbers may be given as text, a list of one as that one.
 * @returns undefined when it is not what the type wants.
 */
export function optionValue(type: OptionType, value: unknown): Uint8Array | undefined {
  switch (type) {
    case 'address':
      return typeof value === 'string' ? addressesOf([value], 1) : undefined
    case 'addresses':
      return listOf(value, (texts) => addressesOf(texts, 63))
    case 'text':
      return typeof value === 'string' && /^[^\p{Cc}]+$/u.test(value) ? textBytes(value) : undefined
    case 'uint8':
      return integer(value, 0, 0xff, 1)
    case 'uint16':
      return integer(value, 0, 0xffff, 2)
    case 'uint32':
      return integer(value, 0, 0xffffffff, 4)
    case 'int32':
      return integer(value, -0x80000000, 0x7fffffff, 4)
    case 'flag':
      if (value === true || value === 'true') return Uint8Array.of(1)
      return value === false || value === 'false' ? Uint8Array.of(0) : undefined
    case 'domains':
      return listOf(value, (texts) => joined(texts.map(domainBytes)))
    case 'routes':
      return listOf(value, (texts) => joined(texts.map(routeBytes)))
    case 'hex': {
      const bytes = typeof value === 'string' ? fromHex(value) : undefined
      return bytes?.length === 0 ? undefined : bytes
    }
  }
}

function listOf(
  value: unknown,
  read: (texts: readonly string[]) => Uint8Array | undefined,
): Uint8Array | undefined {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/\s*,\s*/) : []
  return list.length > 0 && list.every((one) => typeof one === 'string') ? read(list) : undefined
}

function addressesOf(texts: readonly string[], most: number): Uint8Array | undefined {
  const addresses = texts.map(parseIpv4)
  const known = addresses.filter((address): address is Ipv4 => address !== undefined)
  return known.length === texts.length && known.length <= most ? addressesValue(known) : undefined
}

function integer(value: unknown, least: number, most: number, bytes: number): Uint8Array | undefined {
  const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < least || number > most)
    return undefined
  const whole = new Uint8Array(4)
  new DataView(whole.buffer).setInt32(0, number | 0)
  return whole.subarray(4 - bytes)
}

/** A domain in the form of RFC 1035 §3.1: labels with their lengths, then a zero. */
function domainBytes(domain: string): Uint8Array | undefined {
  const labels = domain.replace(/\.$/, '').split('.')
  const isName = labels.every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label))
  if (!isName) return undefined
  const parts = labels.map((label) => concatBytes([Uint8Array.of(label.length), textBytes(label)]))
  return concatBytes([...parts, Uint8Array.of(0)])
}

/** RFC 3442: the prefix length, as many bytes of the network as it covers, the router. */
function routeBytes(text: string): Uint8Array | undefined {
  const [, network = '', gateway = ''] = /^(\S+) via (\S+)$/.exec(text) ?? []
  const cidr = parseCidr(network)
  const router = parseIpv4(gateway)
  if (cidr === undefined || router === undefined) return undefined
  const significant = ipv4ToBytes(cidr.network).subarray(0, Math.ceil(cidr.prefixBits / 8))
  return concatBytes([Uint8Array.of(cidr.prefixBits), significant, ipv4ToBytes(router)])
}

function joined(parts: readonly (Uint8Array | undefined)[]): Uint8Array | undefined {
  const known = parts.filter((part) => part !== undefined)
  return known.length === parts.length ? concatBytes(known) : undefined
}
