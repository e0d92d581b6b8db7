import { parseCidr, parseIpv4, parseIpv4Range } from '../net/ipv4.ts'
import { parseExtraOptions } from '../policy/dhcp/extra-options.ts'
import { MOVING_STAGES, type MovingStage } from '../policy/diagnosis/limits.ts'
import type { ApiListen } from './config.ts'
import type { Complaint } from './messages.ts'
import { parseQuirks } from './quirks.ts'

/** How a value is read: `parse` gives undefined for what is not `want`. */
export interface Key<Value = unknown> {
  readonly want: string
  readonly example: string
  parse(value: unknown): Value | undefined
  /** What exactly is wrong with a value that `parse` did not take, where that can be said better than by `want`. */
  explain?(value: unknown): Pick<Complaint, 'got' | 'want' | 'cure'>
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

const wholeNumber = (first: number, last: number, example = first): Key<number> => ({
  want: `a whole number from ${first} to ${last}`,
  example: String(example),
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

const macPrefixes: Key<readonly string[]> = {
  want: 'a list of the first three bytes of MACs',
  example: '[dc:a6:32]',
  parse: (value) => {
    const list = Array.isArray(value) ? value : undefined
    const isPrefix = (entry: unknown) =>
      typeof entry === 'string' && /^(?:[0-9a-f]{2}:){2}[0-9a-f]{2}$/i.test(entry)
    return list?.every(isPrefix) === true ? list.map((entry: string) => entry.toLowerCase()) : undefined
  },
}

const interfaceNames: Key<readonly string[]> = {
  want: 'a list of network interfaces of this machine',
  example: '[eth2, eth3]',
  parse: (value) => {
    const isName = (entry: unknown) => typeof entry === 'string' && /^[A-Za-z0-9._-]{1,15}$/.test(entry)
    return Array.isArray(value) && value.every(isName) ? value : undefined
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

const options: Key = {
  want: 'a map of option names or numbers to values',
  example: '{ mtu: 1500, domain-search: [rack.example] }',
  parse: (value) => {
    const parsed = parseExtraOptions(value, 'subnet')
    return parsed.ok ? parsed.options : undefined
  },
  explain: (value) => {
    const parsed = parseExtraOptions(value, 'subnet')
    if (parsed.ok) throw new Error('a value that is right is not explained')
    const { option, got, want, cure } = parsed.fault
    return { got: `${option}: ${got}`, want, ...(cure === undefined ? {} : { cure }) }
  },
}

const quirks: Key = {
  want: 'a list of quirks',
  example: '[{ name: slow-rom, match: { macs: [b8:27:eb] }, reply: { delay_ms: 1000 } }]',
  parse: (value) => {
    const parsed = parseQuirks(value)
    return parsed.ok ? parsed.quirks : undefined
  },
  explain: (value) => {
    const parsed = parseQuirks(value)
    if (parsed.ok) throw new Error('a value that is right is not explained')
    return parsed.fault
  },
}

/** `stall.kernel_sent_seconds` for every stage, and the two limits beside them. */
export const STALL_KEYS = Object.fromEntries(
  [...MOVING_STAGES.map(stallKey), 'stall.gate_wait_seconds', 'stall.clock_skew_seconds'].map((key) => [
    key,
    wholeNumber(1, 86_400, 60),
  ]),
) as { readonly [Name in StallKey]: Key<number> }

export type StallKey =
  | `stall.${Underscored<MovingStage>}_seconds`
  | 'stall.gate_wait_seconds'
  | 'stall.clock_skew_seconds'

type Underscored<Text extends string> = Text extends `${infer Head}-${infer Rest}`
  ? `${Head}_${Underscored<Rest>}`
  : Text

/** The key of a stage's limit: `loader-sent` -> `stall.loader_sent_seconds`. */
export function stallKey(stage: MovingStage): StallKey {
  return `stall.${stage.replaceAll('-', '_') as Underscored<MovingStage>}_seconds`
}

/** Every key of the file outside `subnets`, by its dotted name. */
export const KEYS = {
  data_dir: text('a directory', '/var/lib/pilotlight'),
  assets_dir: text('a directory', '/var/lib/pilotlight/loaders'),
  interface: text('a network interface of this machine', 'eth1'),
  server_address: address,
  further_interfaces: interfaceNames,
  'dhcp.mode': oneOf('authoritative', 'proxy', 'off'),
  'dhcp.port': wholeNumber(1, 65535, 67),
  'dhcp.proxy_port': wholeNumber(1, 65535, 4011),
  'dhcp.proxy_uefi': oneOf('binl', 'direct'),
  'dhcp.conflict_probe': truth,
  'dhcp.watch': truth,
  'dhcp.watch_seconds': wholeNumber(10, 86_400),
  'dhcp.raspberry_pi_macs': macPrefixes,
  'dhcp.quirks': quirks,
  unknown_machines: oneOf('ignore', 'discover'),
  'tftp.enabled': truth,
  'tftp.port': wholeNumber(1, 65535, 69),
  'tftp.max_block_bytes': wholeNumber(8, 65464, 1468),
  'tftp.max_window': wholeNumber(1, 64, 16),
  'tftp.max_transfers': wholeNumber(1, 65535, 2048),
  'tftp.max_transfers_per_address': wholeNumber(0, 65535, 8),
  'tftp.max_requests_per_second': wholeNumber(0, 1_000_000, 40),
  'tftp.single_port': truth,
  'tftp.workers': wholeNumber(0, 64, 2),
  'tftp.cache_mib': wholeNumber(0, 65_536, 64),
  'boot.port': wholeNumber(1, 65535, 8080),
  'boot.image_base_url': httpUrl,
  'boot.token_bind': oneOf('subnet', 'address'),
  'images.max_set_mib': wholeNumber(1, 1_048_576),
  'images.max_initrd_mib': wholeNumber(1, 1_048_576),
  'images.ram_factor': wholeNumber(1, 16),
  'images.ram_extra_mib': wholeNumber(0, 1_048_576),
  'images.when_too_large': oneOf('refuse', 'warn'),
  'boot.cache_mib': wholeNumber(0, 1_048_576),
  'boot.max_streams': wholeNumber(1, 65_535),
  'boot.reader_window_seconds': wholeNumber(1, 3600),
  'boot.reader_min_kib': wholeNumber(0, 1_048_576),
  'api.listen': listenAddress,
  ...STALL_KEYS,
  'events.keep_days': wholeNumber(1, 36_500, 90),
  'events.keep_count': wholeNumber(1000, 100_000_000, 1_000_000),
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
  lease_seconds: wholeNumber(120, 31_536_000, 3600),
  dhcp_mode: oneOf('authoritative', 'proxy', 'off'),
  boot_address: address,
  options,
  shared_addresses: truth,
} as const

export type KeyName = keyof typeof KEYS
export type SubnetKeyName = keyof typeof SUBNET_KEYS

/** The environment variable of a key: `dhcp.mode` -> `PILOTLIGHT_DHCP_MODE`. */
export function environmentName(key: string): string {
  return `PILOTLIGHT_${key.replaceAll('.', '_').toUpperCase()}`
}
