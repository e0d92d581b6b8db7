import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/messages.ts'
import { parseQuirks } from '../../src/config/quirks.ts'
import type { Surroundings } from '../../src/config/surroundings.ts'
import { SHIPPED_QUIRKS } from '../../src/policy/dhcp/quirk-table.ts'

const DIR = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-config-dhcp-'))
const FILE = path.join(DIR, 'pilotlight.yaml')
t.teardown(() => rmSync(DIR, { recursive: true, force: true }))

const link = (address: string) => [
  {
    address,
    cidr: `${address}/24`,
    family: 'IPv4' as const,
    netmask: '255.255.255.0',
    mac: '02:00:00:00:00:01',
    internal: false,
  },
]

function load(yaml: string, changes: Partial<Surroundings> = {}): Config {
  writeFileSync(FILE, yaml)
  return loadConfig(FILE, {
    environment: {},
    interfaces: { eth1: link('10.77.0.1'), eth2: link('10.78.0.1') },
    isRoot: true,
    homeDir: '/home/op',
    programDir: '/opt/pilotlight',
    fileExists: () => false,
    ...changes,
  })
}

function complaintOf(yaml: string): string {
  try {
    load(yaml)
    return 'none'
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.replaceAll(`${DIR}/`, '')
  }
}

const TWO_LINKS = `interface: eth1
further_interfaces: [eth2]
subnets:
  - { cidr: 10.77.0.0/24 }
  - { cidr: 10.78.0.0/24, dhcp_mode: proxy }
  - { cidr: 10.79.0.0/24, boot_address: 10.77.0.1 }
`

t.test('machines of a further link reach the server at its address there', async (t) => {
  const { furtherLinks, subnets } = load(TWO_LINKS)
  t.same(furtherLinks, [{ interface: 'eth2', address: '10.78.0.1' }])
  t.same(
    subnets.map(({ bootAddress, dhcpMode }) => [bootAddress, dhcpMode]),
    [
      [undefined, undefined],
      ['10.78.0.1', 'proxy'],
      ['10.77.0.1', undefined],
    ],
  )
})

t.test('a further link that is not there, or has no address, is told with those that are', async (t) => {
  const said = complaintOf(TWO_LINKS.replace('[eth2]', '[eth3]'))
  t.match(said, /further_interfaces: got eth3, want an interface with an IPv4 address: eth1, eth2/)
})

const ONE = (options: string) => `interface: eth1
subnets:
  - cidr: 10.77.0.0/24
    options:
      ${options}
`

t.test('a subnet’s options are read; what is wrong with one is told with its line', async (t) => {
  t.match(load(ONE('mtu: 9000')).subnets[0]?.options, [{ code: 26, hex: '2328' }])
  t.match(
    complaintOf(ONE('mtu: big')),
    /pilotlight\.yaml:5:\d+: subnets\[0\]\.options: got mtu: "big", want a whole/,
  )
  t.match(complaintOf(ONE('13: { type: uint16, value: 1 }')), /13.*truncates what it loads/)
  t.match(complaintOf(ONE('router: 10.77.0.9')), /want the key router/)
})

t.test('quirks are read and follow the shipped ones; what is wrong with one is told', async (t) => {
  const yaml = (quirk: string) =>
    `interface: eth1\nsubnets: [{ cidr: 10.77.0.0/24 }]\ndhcp: { quirks: [${quirk}] }\n`
  const { quirks } = load(yaml('{ name: mine, match: { macs: ["02"] }, reply: { delay_ms: 5 } }')).dhcp
  t.same(
    quirks?.map(({ name }) => name),
    [...SHIPPED_QUIRKS.map(({ name }) => name), 'mine'],
  )
  t.match(
    complaintOf(yaml('{ name: mine, match: { macs: ["02"] }, reply: { delay_ms: 9000 } }')),
    /dhcp\.quirks: got mine: reply\.delay_ms: 9000, want a whole number from 0 to 3000/,
  )
})

t.test('a quirk names its loader as the loader is spelt', async (t) => {
  const parsed = parseQuirks([
    { name: 'mine', match: { macs: ['AA:BB:CC'] }, reply: { loader: 'ipxe-X550.efi' } },
  ])
  t.match(parsed, { quirks: [{ match: { macs: ['aa:bb:cc'] }, reply: { loader: 'ipxe-X550.efi' } }] })
})

t.test('a quirk’s reply is a map, or not there at all', async (t) => {
  const parsed = (reply: unknown) => parseQuirks([{ name: 'mine', match: { macs: ['02'] }, reply }])
  for (const none of [undefined, null, {}]) t.match(parsed(none), { ok: true, quirks: [{ reply: {} }] })
  for (const reply of ['direct', ['pxe_class'], true, 7]) {
    t.match(parsed(reply), { ok: false, fault: { got: /^mine: reply: / } })
  }
})

t.test(
  'on loopback nothing is probed and nobody watched for; on a link both are, unless switched off',
  async (t) => {
    const yaml = 'interface: eth1\nsubnets: [{ cidr: 10.77.0.0/24 }]\n'
    t.match(load(yaml).dhcp, { conflictProbe: true, watch: true, watchSeconds: 600 })
    t.match(load(`${yaml}dhcp: { conflict_probe: false, watch: false }\n`).dhcp, {
      conflictProbe: false,
      watch: false,
    })
    const loopback = 'server_address: 127.0.0.1\nsubnets: [{ cidr: 127.0.0.0/8 }]\n'
    t.match(load(loopback).dhcp, { conflictProbe: false, watch: false })
  },
)

t.test('another machine’s file is read without looking for its links here', async (t) => {
  const yaml = 'interface: eth9\nsubnets: [{ cidr: 10.99.0.0/24 }, { cidr: 10.98.0.0/24 }]\n'
  t.equal(load(yaml, { isElsewhere: true }).serverAddress, '10.99.0.1', 'the first host, when it is not said')
  const stated = yaml.replace('interface: eth9', 'server_address: 10.99.0.7')
  t.equal(load(stated, { isElsewhere: true }).serverAddress, '10.99.0.7')
  t.match(complaintOf(yaml), /eth9/)
})
