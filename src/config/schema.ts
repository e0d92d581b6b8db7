import { parseCidr, parseIpv4, parseIpv4Range } from '../net/ipv4.ts'
import type { ApiListen } from './config.ts'

/** How a value is read: `parse` gives undefined for what is not `want`. */
export interface Key<Value = unknown> {
  readonly want: string
  readonly example: string
  parse(value: unknown): Value | undefined
}

const text = (want: string, example: string): Key<string> => ({
  want,
  example,
  parse: (value) =>
    typeof value === 'string' && value.length > 0 && value.length <= 4096 ? value : undefined,
})

const oneOf = <Word extends string>(...words: readonly Word[]): Key<Word> => ({
  want: `one of ${words.join(', ')}`,
  example: words[0] ?? '',
  parse: (value) => words.find((word) => word === value),
})

const wholeNumber = (first: number, last: number): Key<number> => ({
  want: `a whole number from ${first} to ${last}`,
  example: String(first),
  parse: (value) => {
    const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isInteger(number) && number >= first && number <= last
      ? number
      : undefined
  },
})

const parsed = <Value>(
  want: string,
  example: string,
  parse: (text: string) => Value | undefined,
): Key<Value> => ({
  want,
  example,
  parse: (value) => (typeof value === 'string' ? parse(value) : undefined),
})

const address = parsed('an IPv4 address', '10.77.0.1', parseIpv4)

const addresses: Key<readonly ReturnType<typeof parseIpv4>[]> = {
  want: 'a list of IPv4 addresses',
  example: '[10.77.0.1]',
  parse: (value) => {
    const list = Array.isArray(value) ? value : undefined
    const read = list?.map((entry) => (typeof entry === 'string' ? parseIpv4(entry) : undefined))
    return read?.some((entry) => entry === undefined) === true ? undefined : read
  },
}

const truth: Key<boolean> = {
  want: 'true or false',
  example: 'true',
  parse: (value) => {
    if (value === true || value === 'true') return true
    return value === false || value === 'false' ? false : undefined
  },
}

const listenAddress = parsed<ApiListen>('ADDRESS:PORT, or unix:/FILE', '127.0.0.1:8090', (value) => {
  if (/^unix:\/.{1,100}$/.test(value)) return { path: value.slice('unix:'.length) }
  const match = /^([0-9.]+):(\d{1,5})$/.exec(value)
  const host = parseIpv4(match?.[1] ?? '')
  const port = Number(match?.[2])
  return host !== undefined && port <= 65535 ? { host, port } : undefined
})

const httpUrl = parsed(
  'an http:// or https:// URL without a slash at its end',
  'http://10.77.0.2/images',
  (value) => (/^https?:\/\/[A-Za-z0-9.:/_-]+[A-Za-z0-9_-]$/.test(value) ? value : undefined),
)

/** Every key of the file outside `subnets`, by its dotted name. */
export const KEYS = {
  data_dir: text('a directory', '/var/lib/pilotlight'),
  assets_dir: text('a directory', '/var/lib/pilotlight/loaders'),
  interface: text('a network interface of this machine', 'eth1'),
  server_address: address,
  'dhcp.mode': oneOf('authoritative', 'proxy', 'off'),
  'dhcp.port': wholeNumber(1, 65535),
  'dhcp.proxy_port': wholeNumber(1, 65535),
  'dhcp.proxy_uefi': oneOf('binl', 'direct'),
  unknown_machines: oneOf('ignore', 'discover'),
  'tftp.enabled': truth,
  'tftp.port': wholeNumber(1, 65535),
  'boot.port': wholeNumber(1, 65535),
  'boot.image_base_url': httpUrl,
  'api.listen': listenAddress,
  'log.level': oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal'),
  'log.format': oneOf('auto', 'pretty', 'json'),
} as const

/** The keys of one entry of `subnets`. */
export const SUBNET_KEYS = {
  cidr: parsed('a network without host bits', '10.77.0.0/24', parseCidr),
  pool: parsed('two addresses, the lower first', '10.77.0.100-10.77.0.199', parseIpv4Range),
  router: address,
  dns: addresses,
  domain: text('a DNS domain', 'rack.example'),
  ntp: addresses,
  lease_seconds: wholeNumber(120, 31_536_000),
  boot_address: address,
} as const

export type KeyName = keyof typeof KEYS
export type SubnetKeyName = keyof typeof SUBNET_KEYS

/** The environment variable of a key: `dhcp.mode` -> `PILOTLIGHT_DHCP_MODE`. */
export function environmentName(key: string): string {
  return `PILOTLIGHT_${key.replaceAll('.', '_').toUpperCase()}`
}
