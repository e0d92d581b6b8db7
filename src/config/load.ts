import path from 'node:path'
import type { Quirk } from '../model/quirk.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import { withOperatorsQuirks } from '../policy/dhcp/quirk-table.ts'
import { checkAddress, checkPorts, checkSubnets } from './check.ts'
import type { ApiListen, Config } from './config.ts'
import { takeEnvironment } from './environment.ts'
import { deliveryLimits, eventRetention, imageLimits, stallLimits, tftpLimits } from './limits.ts'
import { type Complaint, ConfigError } from './messages.ts'
import { optional } from './optional.ts'
import { addressOfInterface, likelyAddress, linksOf, reachedByLink } from './own-links.ts'
import { placedSubnet } from './placed-subnet.ts'
import { type FileContent, type Found, readConfigFile } from './read-file.ts'
import type { KeyName } from './schema.ts'
import { defaultDataDir, type Surroundings } from './surroundings.ts'

const LOOPBACK = '127.0.0.1' as Ipv4

/** The configuration of a server that is installed: taken when no other is named. */
export const INSTALLED_FILE = '/etc/pilotlight/pilotlight.yaml'

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
  const subnets = content.subnets.flatMap(placedSubnet)
  const here = addressOfInterface(interfaceName, around.interfaces)
  const found =
    around.isElsewhere === true
      ? likelyAddress(
          subnets.map(({ subnet }) => subnet),
          here,
        )
      : here
  const serverAddress = stated ?? found ?? LOOPBACK
  const furtherLinks = linksOf(
    get<readonly string[]>('further_interfaces', []),
    where('further_interfaces'),
    around,
    complaints,
  )
  const mode = get<Config['dhcp']['mode']>(
    'dhcp.mode',
    interfaceName === undefined && stated === undefined ? 'off' : 'authoritative',
  )
  complaints.push(...checkSubnets(subnets, serverAddress))
  if (around.isElsewhere !== true) {
    complaints.push(...checkAddress(serverAddress, where, around.interfaces, interfaceName, stated))
  }
  if (mode === 'authoritative' && content.subnets.length === 0) {
    complaints.push({
      where: where('dhcp.mode'),
      key: 'subnets',
      got: 'none',
      want: 'at least one in mode authoritative',
      cure: 'or set dhcp.mode to proxy or off',
    })
  }
  const ownQuirks = get<readonly Quirk[] | undefined>('dhcp.quirks', undefined)
  const api = get<ApiListen>('api.listen', { host: LOOPBACK, port: 8090 })
  const config: Config = {
    dataDir: get('data_dir', defaultDataDir(around)),
    serverAddress,
    dhcp: {
      mode,
      port: get('dhcp.port', 67),
      proxyPort: get('dhcp.proxy_port', 4011),
      proxyUefi: get<'binl' | 'direct'>('dhcp.proxy_uefi', 'binl'),
      conflictProbe: get('dhcp.conflict_probe', !serverAddress.startsWith('127.')),
      watch: get('dhcp.watch', !serverAddress.startsWith('127.')),
      watchSeconds: get('dhcp.watch_seconds', 600),
      ...optional('quirks', ownQuirks && withOperatorsQuirks(ownQuirks)),
      ...optional('raspberryPiMacs', get<readonly string[] | undefined>('dhcp.raspberry_pi_macs', undefined)),
    },
    subnets: subnets.map(({ subnet }) => reachedByLink(subnet, furtherLinks)),
    ...(furtherLinks.length === 0 ? {} : { furtherLinks }),
    unknownMachines: get<'ignore' | 'discover'>('unknown_machines', 'ignore'),
    tftp: {
      enabled: get('tftp.enabled', interfaceName !== undefined || stated !== undefined),
      port: get('tftp.port', 69),
      limits: tftpLimits(values),
    },
    boot: {
      port: get('boot.port', 8080),
      tokenBind: get<'subnet' | 'address'>('boot.token_bind', 'subnet'),
      delivery: deliveryLimits(values),
      ...optional('imageBaseUrl', get<string | undefined>('boot.image_base_url', undefined)),
    },
    images: imageLimits(values),
    api,
    stall: stallLimits(values),
    events: eventRetention(values),
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
