import os from 'node:os'
import path from 'node:path'
import type { Subnet } from '../model/subnet.ts'
import { type Ipv4, parseIpv4 } from '../net/ipv4.ts'
import { checkAddress, checkPorts, checkSubnets, type Interfaces, type PlacedSubnet } from './check.ts'
import type { ApiListen, Config } from './config.ts'
import { type Complaint, ConfigError, shown } from './messages.ts'
import { type FileContent, type Found, readConfigFile } from './read-file.ts'
import { environmentName, KEYS, type KeyName, type SubnetKeyName } from './schema.ts'

const LOOPBACK = '127.0.0.1' as Ipv4
const DEFAULT_LEASE_SECONDS = 3600
const INSTALLED_FILE = '/etc/pilotlight/pilotlight.yaml'

/** What loading takes from the machine it runs on; tests give their own. */
export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv
  readonly interfaces: Interfaces
  readonly isRoot: boolean
  readonly homeDir: string
  /** Directory of the program: `boot-assets/` lies in it. */
  readonly programDir: string
  fileExists(file: string): boolean
}

/**
 * Loads the configuration: environment over file over defaults. Without a file the server keeps to loopback, with DHCP
 * and TFTP off.
 *
 * @throws ConfigError with everything that is wrong.
 */
export function loadConfig(file: string | undefined, around: Surroundings): Config {
  const complaints: Complaint[] = []
  const chosen = file ?? (around.fileExists(INSTALLED_FILE) ? INSTALLED_FILE : undefined)
  const content: FileContent =
    chosen === undefined ? { values: new Map(), subnets: [] } : readConfigFile(chosen, complaints)
  const values = new Map(content.values)
  takeEnvironment(values, around.environment, complaints)
  const config = assemble(values, content, chosen, around, complaints)
  if (complaints.length > 0) throw new ConfigError(complaints)
  return config
}

function takeEnvironment(
  values: Map<KeyName, Found>,
  environment: Surroundings['environment'],
  complaints: Complaint[],
): void {
  for (const [key, rule] of Object.entries(KEYS)) {
    const name = environmentName(key)
    const text = environment[name]
    if (text === undefined || text === '') continue
    const value = rule.parse(text)
    if (value === undefined)
      complaints.push({ where: name, key, got: shown(text), want: `${rule.want}, such as ${rule.example}` })
    else values.set(key as KeyName, { value, where: name })
  }
}

function assemble(
  values: ReadonlyMap<KeyName, Found>,
  content: FileContent,
  file: string | undefined,
  around: Surroundings,
  complaints: Complaint[],
): Config {
  const get = <Value>(key: KeyName, otherwise: Value): Value =>
    (values.get(key)?.value as Value | undefined) ?? otherwise
  const where = (key: KeyName) => values.get(key)?.where ?? file ?? 'defaults'
  const interfaceName = get<string | undefined>('interface', undefined)
  const stated = get<Ipv4 | undefined>('server_address', undefined)
  const serverAddress = stated ?? addressOfInterface(interfaceName, around.interfaces) ?? LOOPBACK
  const subnets = content.subnets.flatMap(placedSubnet)
  const mode = get<Config['dhcp']['mode']>(
    'dhcp.mode',
    interfaceName === undefined && stated === undefined ? 'off' : 'authoritative',
  )
  complaints.push(...checkSubnets(subnets, serverAddress))
  complaints.push(
    ...checkAddress(
      serverAddress,
      where(stated === undefined ? 'interface' : 'server_address'),
      around.interfaces,
      interfaceName,
    ),
  )
  if (mode === 'authoritative' && subnets.length === 0) {
    complaints.push({
      where: where('dhcp.mode'),
      key: 'subnets',
      got: 'none',
      want: 'at least one in mode authoritative',
      cure: 'or set dhcp.mode to proxy or off',
    })
  }
  const api = get<ApiListen>('api.listen', { host: LOOPBACK, port: 8090 })
  const config: Config = {
    dataDir: get('data_dir', defaultDataDir(around)),
    serverAddress,
    dhcp: {
      mode,
      port: get('dhcp.port', 67),
      proxyPort: get('dhcp.proxy_port', 4011),
      proxyUefi: get<'binl' | 'direct'>('dhcp.proxy_uefi', 'binl'),
    },
    subnets: subnets.map(({ subnet }) => subnet),
    unknownMachines: get<'ignore' | 'discover'>('unknown_machines', 'ignore'),
    tftp: {
      enabled: get('tftp.enabled', interfaceName !== undefined || stated !== undefined),
      port: get('tftp.port', 69),
    },
    boot: {
      port: get('boot.port', 8080),
      ...optional('imageBaseUrl', get<string | undefined>('boot.image_base_url', undefined)),
    },
    api,
    log: { level: get('log.level', 'info'), format: get<Config['log']['format']>('log.format', 'auto') },
    assetsDir: get('assets_dir', path.join(around.programDir, 'boot-assets', 'loaders')),
    ...optional('interface', interfaceName),
    ...optional('file', file),
  }
  complaints.push(
    ...checkPorts(
      [
        { key: 'boot.port', protocol: 'tcp', host: serverAddress, port: config.boot.port },
        ...('path' in api
          ? []
          : [{ key: 'api.listen', protocol: 'tcp' as const, host: api.host, port: api.port }]),
        { key: 'dhcp.port', protocol: 'udp', host: serverAddress, port: config.dhcp.port },
        { key: 'dhcp.proxy_port', protocol: 'udp', host: serverAddress, port: config.dhcp.proxyPort },
        { key: 'tftp.port', protocol: 'udp', host: serverAddress, port: config.tftp.port },
      ],
      file ?? 'defaults',
    ),
  )
  return config
}

function placedSubnet(found: ReadonlyMap<SubnetKeyName, Found>): PlacedSubnet[] {
  const get = <Value>(key: SubnetKeyName) => found.get(key)?.value as Value | undefined
  const cidr = get<Subnet['cidr']>('cidr')
  if (cidr === undefined) return []
  const subnet: Subnet = {
    cidr,
    dns: get<readonly Ipv4[]>('dns') ?? [],
    ntp: get<readonly Ipv4[]>('ntp') ?? [],
    leaseSeconds: get<number>('lease_seconds') ?? DEFAULT_LEASE_SECONDS,
    ...optional('pool', get<NonNullable<Subnet['pool']>>('pool')),
    ...optional('router', get<Ipv4>('router')),
    ...optional('domain', get<string>('domain')),
    ...optional('bootAddress', get<Ipv4>('boot_address')),
  }
  const where = (key: string) => (found.get(key as SubnetKeyName) ?? found.get('cidr'))?.where ?? ''
  return [{ subnet, where }]
}

function addressOfInterface(name: string | undefined, interfaces: Interfaces): Ipv4 | undefined {
  const infos = name === undefined ? [] : (interfaces[name] ?? [])
  return infos.map((info) => parseIpv4(info.address)).find((address) => address !== undefined)
}

function defaultDataDir(around: Surroundings): string {
  if (around.isRoot) return '/var/lib/pilotlight'
  const state = around.environment.XDG_STATE_HOME || path.join(around.homeDir, '.local', 'state')
  return path.join(state, 'pilotlight')
}

function optional<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value }
}

/** The surroundings of a real run. */
export function realSurroundings(programDir: string, fileExists: (file: string) => boolean): Surroundings {
  return {
    environment: process.env,
    interfaces: os.networkInterfaces(),
    isRoot: process.getuid?.() === 0,
    homeDir: os.homedir(),
    programDir,
    fileExists,
  }
}
