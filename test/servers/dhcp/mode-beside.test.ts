import t from 'tap'
import { foreignVerdict } from '../../../src/cli/doctor-dhcp.ts'
import type { Config } from '../../../src/config/config.ts'
import { modeBeside } from '../../../src/servers/dhcp/dhcp-place.ts'
import { ip, LOCAL, REMOTE, S, subnetOf } from '../../support/dhcp-builders.ts'
import { configWith } from '../../support/dhcp-engine.ts'

type Mode = Config['dhcp']['mode']

const OTHER = subnetOf('198.51.100.0/24')
const OTHER_ADDRESS = ip('198.51.100.1')

function configOf(everywhere: Mode, local?: Mode, other?: Mode): Config {
  const { dhcp } = configWith()
  const modeOf = (mode: Mode | undefined) => (mode === undefined ? {} : { dhcpMode: mode })
  return configWith({
    dhcp: { ...dhcp, mode: everywhere },
    furtherLinks: [{ interface: 'eth2', address: OTHER_ADDRESS }],
    subnets: [{ ...LOCAL, ...modeOf(local) }, { ...OTHER, ...modeOf(other) }, REMOTE],
  })
}

const server = (sourceAddress: string, offered = '0.0.0.0') => ({
  serverId: ip(sourceAddress),
  sourceAddress: ip(sourceAddress),
  offered: ip(offered),
  hasBootData: false,
})
const ON_LOCAL = server('192.0.2.9', '192.0.2.77')
const ON_OTHER = server('198.51.100.9', '198.51.100.77')
const OF_NO_LINK = server('10.0.0.9', '10.0.0.77')

t.test('another server is judged by the mode of the subnet that it was heard in', async (t) => {
  const mode = (config: Config, heard: typeof ON_LOCAL) => modeBeside(config, [S, OTHER_ADDRESS], heard)
  t.equal(mode(configOf('authoritative'), ON_LOCAL), 'authoritative')
  t.equal(mode(configOf('authoritative', 'proxy'), ON_LOCAL), 'proxy', 'it leases the addresses there')
  t.equal(mode(configOf('authoritative', 'proxy'), ON_OTHER), 'authoritative')
  t.equal(mode(configOf('proxy', 'authoritative'), ON_LOCAL), 'authoritative', 'it takes machines away')
  t.equal(
    mode(configOf('off', undefined, 'authoritative'), server('10.9.9.9', '198.51.100.7')),
    'authoritative',
  )
  t.equal(
    mode(configOf('proxy', undefined, 'authoritative'), OF_NO_LINK),
    'authoritative',
    'it may be on either',
  )
  t.equal(mode(configOf('authoritative', 'proxy', 'proxy'), OF_NO_LINK), 'proxy')
})

t.test('doctor judges other servers by subnet as well', async (t) => {
  const verdict = (config: Config, ...heard: (typeof ON_LOCAL)[]) => foreignVerdict(config, heard)
  const mixed = configOf('proxy', 'authoritative')
  t.match(verdict(mixed, ON_OTHER), { detail: /198\.51\.100\.9 .* leases the addresses/ })
  t.match(verdict(mixed, ON_OTHER, ON_LOCAL), { detail: /^192\.0\.2\.9 .*whoever is first/ })
  t.match(verdict(mixed), { detail: /leases no addresses/ })
  t.match(verdict(configOf('proxy', 'authoritative', 'authoritative')), { detail: 'none answers' })
  t.match(verdict(configOf('authoritative')), { detail: 'none answers' })
  t.match(verdict(configOf('authoritative', 'off')), { detail: 'none answers' })
  t.match(verdict(configOf('authoritative', 'proxy', 'proxy'), { ...ON_LOCAL, hasBootData: true }), {
    detail: /also says what to boot/,
  })
})
