import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import type { Config } from '../../src/config/config.ts'
import { NODE_VARIABLES } from '../../src/config/environment.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/messages.ts'
import type { Surroundings } from '../../src/config/surroundings.ts'
import { ROOT } from '../support/server-process.ts'

const DIR = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-config-'))
const FILE = path.join(DIR, 'pilotlight.yaml')
t.teardown(() => rmSync(DIR, { recursive: true, force: true }))

function link(address: string, cidr: string) {
  const family = 'IPv4' as const
  return [{ address, cidr, family, netmask: '255.255.255.0', mac: '02:00:00:00:00:01', internal: false }]
}

/** A server with two links, as root. */
function around(changes: Partial<Surroundings> = {}): Surroundings {
  return {
    environment: {},
    interfaces: { eth0: link('192.0.2.9', '192.0.2.9/24'), eth1: link('10.77.0.1', '10.77.0.1/24') },
    isRoot: true,
    homeDir: '/home/op',
    programDir: '/opt/pilotlight',
    fileExists: () => false,
    ...changes,
  }
}

function load(yaml: string, changes: Partial<Surroundings> = {}): Config {
  writeFileSync(FILE, yaml)
  return loadConfig(FILE, around(changes))
}

/** All complaints, one line each, without the directory. */
function complaintsOf(yaml: string, changes: Partial<Surroundings> = {}): readonly string[] {
  try {
    load(yaml, changes)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.replaceAll(`${DIR}/`, '').split('\n')
  }
}

const GOOD = `interface: eth1
subnets:
  - cidr: 10.77.0.0/24
    pool: 10.77.0.100-10.77.0.199
`

t.test('a small file is enough; everything else has a default', async (t) => {
  t.match(load(GOOD), {
    dataDir: '/var/lib/pilotlight',
    assetsDir: '/opt/pilotlight/boot-assets/loaders',
    interface: 'eth1',
    serverAddress: '10.77.0.1',
    dhcp: { mode: 'authoritative', port: 67, proxyPort: 4011, proxyUefi: 'binl' },
    subnets: [{ leaseSeconds: 3600, dns: [], ntp: [] }],
    unknownMachines: 'ignore',
    tftp: { enabled: true, port: 69 },
    boot: { port: 8080 },
    api: { host: '127.0.0.1', port: 8090 },
    log: { level: 'info', format: 'auto' },
    file: FILE,
  })
})

t.test('without a file nothing is served beyond this machine', async (t) => {
  const config = loadConfig(undefined, around())
  t.match(config, {
    serverAddress: '127.0.0.1',
    dhcp: { mode: 'off' },
    tftp: { enabled: false },
    api: { host: '127.0.0.1' },
  })
  t.equal(config.file, undefined)
})

t.test('the installed file is taken when none is named', async (t) => {
  const asked: string[] = []
  const fileExists = (file: string) => {
    asked.push(file)
    return false
  }
  loadConfig(undefined, around({ fileExists }))
  t.same(asked, ['/etc/pilotlight/pilotlight.yaml'])
})

t.test('without root the data is the user’s own', async (t) => {
  t.equal(loadConfig(undefined, around({ isRoot: false })).dataDir, '/home/op/.local/state/pilotlight')
  const environment = { XDG_STATE_HOME: '/state' }
  t.equal(loadConfig(undefined, around({ isRoot: false, environment })).dataDir, '/state/pilotlight')
})

t.test('the environment stands over the file', async (t) => {
  const config = load(GOOD, {
    environment: {
      PILOTLIGHT_DATA_DIR: '/data',
      PILOTLIGHT_DHCP_MODE: 'proxy',
      PILOTLIGHT_TFTP_ENABLED: 'false',
      PILOTLIGHT_BOOT_PORT: '8088',
      PILOTLIGHT_API_LISTEN: 'unix:/run/pilotlight.sock',
      PILOTLIGHT_LOG_LEVEL: '',
      PILOTLIGHT_DHCP_RASPBERRY_PI_MACS: '[DC:A6:32, b8:27:eb]',
    },
  })
  t.match(config, {
    dataDir: '/data',
    dhcp: { mode: 'proxy', raspberryPiMacs: ['dc:a6:32', 'b8:27:eb'] },
    tftp: { enabled: false },
    boot: { port: 8088 },
    api: { path: '/run/pilotlight.sock' },
    log: { level: 'info' },
  })
})

t.test('a wrong value of the environment is complained of by the variable’s name', async (t) => {
  t.same(complaintsOf(GOOD, { environment: { PILOTLIGHT_DHCP_PORT: 'sixty-seven' } }), [
    'PILOTLIGHT_DHCP_PORT: dhcp.port: got "sixty-seven", want a whole number from 1 to 65535, such as 67',
  ])
  const environment = { PILOTLIGHT_DHCP_RASPBERRY_PI_MACS: '[dc:a6' }
  t.match(complaintsOf(GOOD, { environment }), [/^PILOTLIGHT_DHCP_RASPBERRY_PI_MACS: .*want a list/])
})

t.test('a variable of ours that nobody reads is complained of, with the one that was meant', async (t) => {
  const environment = {
    PILOTLIGHT_DCHP_MODE: 'proxy',
    PILOTLIGHT_BOOT_PORTS: '8080',
    PILOTLIGHT_SUBNETS: '[]',
    PILOTLIGHT_COLOUR: 'red',
    PILOTLIGHT_EMPTY: '',
    PILOT_LIGHT: 'not ours',
  }
  const want =
    'environment: got an unknown variable, want the variable of a key, as docs/configuration.md lists them'
  t.same(complaintsOf(GOOD, { environment }), [
    `PILOTLIGHT_DCHP_MODE: ${want}; did you mean PILOTLIGHT_DHCP_MODE?`,
    `PILOTLIGHT_BOOT_PORTS: ${want}; did you mean PILOTLIGHT_BOOT_PORT?`,
    `PILOTLIGHT_SUBNETS: ${want}; subnets are said in the file`,
    `PILOTLIGHT_COLOUR: ${want}; unset it`,
  ])
})

t.test('what clients, machines and Kubernetes read under our name is let pass', async (t) => {
  const directory = path.join(ROOT, 'boot-assets', 'first-boot')
  const scripts = readdirSync(directory).map((name) => readFileSync(path.join(directory, name), 'utf8'))
  const ofNodes = new Set(scripts.join('\n').match(/PILOTLIGHT_[A-Z_]+/g))
  t.same([...ofNodes].sort(), [...NODE_VARIABLES].sort(), 'the list of what scripts read')
  const environment = Object.fromEntries(
    [
      ...ofNodes,
      'PILOTLIGHT_URL',
      'PILOTLIGHT_TOKEN',
      'PILOTLIGHT_CONFIG',
      'PILOTLIGHT_PORT',
      'PILOTLIGHT_PORT_8080_TCP_ADDR',
      'PILOTLIGHT_SERVICE_HOST',
      'PILOTLIGHT_SERVICE_PORT_BOOT',
    ].map((name) => [name, 'x']),
  )
  t.doesNotThrow(() => load(GOOD, { environment }))
})

const SUBNET = '  - cidr: 10.77.0.0/24'

const COMPLAINTS: readonly (readonly [what: string, yaml: string, complaint: RegExp])[] = [
  [
    'an unknown key',
    `${GOOD}dhpc: { mode: off }\n`,
    /^pilotlight.yaml:5:1: dhpc: got an unknown key, want one of data_dir.*; did you mean dhcp\?$/,
  ],
  [
    'an unknown key of a section',
    `${GOOD}dhcp: { mod: off }\n`,
    /^pilotlight.yaml:5:9: dhcp.mod: got an unknown key.*; did you mean dhcp.mode\?$/,
  ],
  [
    'an unknown key of a subnet',
    `${GOOD}    gateway: 10.77.0.1\n`,
    /^pilotlight.yaml:5:5: subnets\[0\].gateway: got an unknown key, want one of cidr, pool/,
  ],
  [
    'a word that is none of the few',
    `${GOOD}unknown_machines: maybe\n`,
    /^pilotlight.yaml:5:19: unknown_machines: got "maybe", want one of ignore, discover/,
  ],
  [
    'a number out of range',
    `${GOOD}boot: { port: 70000 }\n`,
    /:5:15: boot.port: got 70000, want a whole number from 1 to 65535/,
  ],
  ['text for a number', `${GOOD}boot: { port: http }\n`, /boot.port: got "http", want a whole number/],
  ['a section that is no map', `${GOOD}boot: 8080\n`, /:5:7: boot: got 8080, want keys and values/],
  [
    'truth in other words',
    `${GOOD}tftp: { enabled: jein }\n`,
    /tftp.enabled: got "jein", want true or false/,
  ],
  [
    'an address with a letter',
    `${GOOD}server_address: 10.77.0.x\n`,
    /server_address: got "10.77.0.x", want an IPv4 address, such as 10.77.0.1/,
  ],
  [
    'a URL with a slash at its end',
    `${GOOD}boot: { image_base_url: "http://10.77.0.2/" }\n`,
    /boot.image_base_url: got .* want an http/,
  ],
  [
    'a place to listen without a port',
    `${GOOD}api: { listen: 127.0.0.1 }\n`,
    /api.listen: got "127.0.0.1", want ADDRESS:PORT, or unix:/,
  ],
  [
    'a MAC prefix that is none',
    `${GOOD}dhcp: { raspberry_pi_macs: [dc-a6-32] }\n`,
    /raspberry_pi_macs: got \["dc-a6-32"\], want a list of the first three bytes/,
  ],
  [
    'a network with host bits',
    'interface: eth1\nsubnets:\n  - cidr: 10.77.0.1/24\n',
    /:3:11: subnets\[0\].cidr: got "10.77.0.1\/24", want a network without host bits/,
  ],
  [
    'a subnet without its network',
    'interface: eth1\nsubnets:\n  - pool: 10.77.0.100-10.77.0.199\n',
    /:3:5: subnets\[0\].cidr: got nothing, want the subnet itself/,
  ],
  [
    'a pool the wrong way round',
    `interface: eth1\nsubnets:\n${SUBNET}\n    pool: 10.77.0.199-10.77.0.100\n`,
    /pool: got .* want two addresses, the lower first/,
  ],
  [
    'a pool outside its subnet',
    `interface: eth1\nsubnets:\n${SUBNET}\n    pool: 10.78.0.100-10.78.0.199\n`,
    /:4:11: subnets\[0\].pool: got 10.78.0.100-10.78.0.199, want host addresses of 10.77.0.0\/24/,
  ],
  [
    'a pool with the broadcast address',
    `interface: eth1\nsubnets:\n${SUBNET}\n    pool: 10.77.0.100-10.77.0.255\n`,
    /pool: got 10.77.0.100-10.77.0.255, want host addresses/,
  ],
  [
    'the server’s address in the pool',
    `interface: eth1\nsubnets:\n${SUBNET}\n    pool: 10.77.0.1-10.77.0.99\n`,
    /without this server's own address 10.77.0.1; it would be leased to a machine/,
  ],
  [
    'the router in the pool',
    `${GOOD}    router: 10.77.0.150\n`,
    /pool: .* want a range without the router 10.77.0.150/,
  ],
  [
    'a router elsewhere',
    `${GOOD}    router: 10.78.0.1\n`,
    /:5:13: subnets\[0\].router: got 10.78.0.1, want a host address of 10.77.0.0\/24/,
  ],
  [
    'overlapping subnets',
    `${GOOD}  - cidr: 10.77.0.128/25\n`,
    /:5:11: subnets\[1\].cidr: got 10.77.0.128\/25, want a network apart from 10.77.0.0\/24; a machine would be in both/,
  ],
  [
    'a lease too short for a boot',
    `${GOOD}    lease_seconds: 60\n`,
    /lease_seconds: got 60, want a whole number from 120/,
  ],
  [
    'subnets that are no list',
    'interface: eth1\nsubnets: { cidr: 10.77.0.0/24 }\n',
    /:2:10: subnets: got no list, want a list/,
  ],
  [
    'a subnet that is no map',
    'interface: eth1\nsubnets: [10.77.0.0/24]\n',
    /:2:11: subnets\[0\]: got no map, want keys and values/,
  ],
  [
    'authoritative without a subnet',
    'interface: eth1\n',
    /subnets: got none, want at least one in mode authoritative; or set dhcp.mode to proxy or off/,
  ],
  [
    'an interface that is not there',
    'interface: eth7\ndhcp: { mode: off }\n',
    /:1:12: interface: got eth7, want one of eth0, eth1/,
  ],
  [
    'an address of another machine',
    'server_address: 10.79.0.1\ndhcp: { mode: off }\n',
    /:1:17: server_address: got 10.79.0.1, want an address of this machine: 192.0.2.9 \(eth0\), 10.77.0.1 \(eth1\)/,
  ],
  [
    'an address of another link',
    'interface: eth0\nserver_address: 10.77.0.1\ndhcp: { mode: off }\n',
    /server_address: got 10.77.0.1/,
  ],
  [
    'one port for two',
    `${GOOD}boot: { port: 8090 }\napi: { listen: "10.77.0.1:8090" }\n`,
    /api.listen: got 8090, want a port that boot.port does not use/,
  ],
  [
    'one port for two, one of them on every address',
    `${GOOD}boot: { port: 8090 }\napi: { listen: "0.0.0.0:8090" }\n`,
    /api.listen: got 8090, want a port that boot.port does not use/,
  ],
  [
    'TFTP on the DHCP port',
    `${GOOD}tftp: { port: 67 }\n`,
    /tftp.port: got 67, want a port that dhcp.port does not use/,
  ],
]

t.test('complaints: file, line, key, got, wanted, cure', async (t) => {
  for (const [what, yaml, complaint] of COMPLAINTS) {
    const complaints = complaintsOf(yaml)
    t.ok(
      complaints.some((line) => complaint.test(line)),
      what,
      { complaints, want: String(complaint) },
    )
    t.ok(complaints.length >= 1 && complaints.length <= 2, `${what}: no cascade`, { complaints })
  }
})

t.test('a link without an IPv4 address is refused: its machines would be served on loopback', (t) => {
  const address = 'fe80::1'
  const eth2 = [
    {
      address,
      cidr: `${address}/64`,
      family: 'IPv6' as const,
      netmask: '',
      mac: '',
      internal: false,
      scopeid: 3,
    },
  ]
  const interfaces = { ...around().interfaces, eth2 }
  for (const more of ['', 'server_address: 10.77.0.1\n', 'server_address: 127.0.0.1\n'])
    t.match(complaintsOf(`interface: eth2\n${more}dhcp: { mode: off }\n`, { interfaces }), [
      /^pilotlight.yaml:1:12: interface: got eth2 without an IPv4 address, want an interface that has one: eth0, eth1; give it one before the server starts$/,
    ])
  t.match(complaintsOf('interface: eth7\ndhcp: { mode: off }\n', { interfaces }), [
    /got eth7, want one of eth0, eth1, eth2; one that is down, or has no address, is not seen$/,
  ])
  t.end()
})

t.test('a subnet is named by its place in the file, also behind one that cannot be read', (t) => {
  const lines = complaintsOf(
    'subnets:\n  - cidr: 10.77.0.1/24\n  - { cidr: 10.78.0.0/24, pool: 10.79.0.1-10.79.0.9 }\n',
  )
  t.match(lines[1], /^pilotlight.yaml:3:\d+: subnets\[1\].pool: got 10.79.0.1/)
  t.end()
})

t.test('all that is wrong is said at once', async (t) => {
  const complaints = complaintsOf(`${GOOD}dhcp: { mode: on, prot: 67 }\nlog: { level: loud }\n`)
  t.match(complaints, [/dhcp.mode/, /dhcp.prot/, /log.level/])
})

t.test('no YAML: the line and what YAML makes of it', async (t) => {
  t.match(complaintsOf('dhcp:\n  mode: [off\n'), [
    /^pilotlight.yaml:\d:\d+: YAML: got .*, want well-formed YAML/,
  ])
  t.match(complaintsOf('dhcp: { mode: off }\ndhcp: { mode: proxy }\n'), [/:2:1: YAML: got .*unique/])
  t.match(complaintsOf('- just\n- a list\n'), [/:1:1: file: got no map, want keys and values/])
})

t.test('an empty file is a file with nothing in it', async (t) => {
  for (const yaml of ['', '# only a comment\n', 'dhcp:\n', 'subnets:\n', 'boot: { image_base_url: null }\n'])
    t.equal(load(yaml).dhcp.mode, 'off', JSON.stringify(yaml))
})

t.test('a file that is not there, or that cannot be read, is said so with the cure', async (t) => {
  const missing = path.join(DIR, 'missing.yaml')
  t.throws(() => loadConfig(missing, around()), {
    message: /missing.yaml: file: got no such file, want a readable file; write one: pilotlight init/,
  })
  t.throws(() => loadConfig(DIR, around({ fileExists: existsSync })), { message: /EISDIR/ })
  t.throws(() => loadConfig(DIR, around({ fileExists: existsSync })), {
    message:
      /: file: got EISDIR, want a readable file; name another with --config, or correct its owner or mode$/,
  })
})

t.test('a long value is cut in the message, and stays on one line', async (t) => {
  const [line = '', ...more] = complaintsOf(`${GOOD}unknown_machines: "${'x'.repeat(5000)}\\n"\n`)
  t.same(more, [])
  t.ok(line.length < 250, line)
})
