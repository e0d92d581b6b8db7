import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t from 'tap'
import { configText, init } from '../../src/cli/init.ts'
import { chooseLink, defaultRouteLinks, type Link, linksOf } from '../../src/cli/links.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Surroundings } from '../../src/config/surroundings.ts'
import { parseIpv4 } from '../../src/net/ipv4.ts'
import { installLoaders } from '../../src/servers/files/install-loaders.ts'
import { LoaderManifest } from '../../src/servers/files/loader-manifest.ts'
import { runCli } from '../support/run-cli.ts'
import { ServerProcess } from '../support/server-process.ts'
import { scratchDir } from '../support/store-world.ts'

function link(name: string, cidr: string, leadsOut = false): Link {
  const [address = '', bits = ''] = cidr.split('/')
  return { name, address: parseIpv4(address)!, prefixBits: Number(bits), leadsOut }
}

/** A machine with just that link. */
function machineWith(one: Link): Surroundings {
  const family = 'IPv4' as const
  const info = {
    address: one.address,
    cidr: `${one.address}/${one.prefixBits}`,
    family,
    netmask: '',
    mac: '',
    internal: false,
  }
  return {
    environment: {},
    interfaces: { [one.name]: [info] },
    isRoot: true,
    homeDir: '/root',
    programDir: '/opt',
    fileExists: () => true,
  }
}

t.test('init: what it writes loads, on every kind of link, with a pool that spares the server', async (t) => {
  const dir = scratchDir(t)
  for (const cidr of [
    '10.77.0.1/24',
    '10.77.0.200/24',
    '10.77.0.254/24',
    '192.168.4.9/22',
    '10.0.0.1/8',
    '10.1.2.3/15',
    '172.16.5.1/28',
    '172.16.5.9/28',
    '10.9.9.1/30',
    '10.9.9.0/31',
  ]) {
    const one = link('eth1', cidr)
    const file = path.join(dir, 'pilotlight.yaml')
    writeFileSync(file, configText(one, [one]))
    const config = loadConfig(file, machineWith(one))
    t.equal(config.serverAddress, one.address, cidr)
    t.match(config, {
      dhcp: { mode: 'authoritative' },
      unknownMachines: 'ignore',
      api: { host: '127.0.0.1' },
    })
    t.equal(config.subnets[0]?.pool !== undefined, one.prefixBits <= 28, `${cidr}: a pool where one fits`)
  }
})

t.test('init: the links of a machine, loopback and IPv6 left out', async (t) => {
  const info = { netmask: '', mac: '', scopeid: 0 }
  const links = linksOf(
    {
      lo: [{ ...info, address: '127.0.0.1', family: 'IPv4', internal: true, cidr: '127.0.0.1/8' }],
      eth0: [
        { ...info, address: 'fe80::1', family: 'IPv6', internal: false, cidr: 'fe80::1/64' },
        { ...info, address: '10.77.0.1', family: 'IPv4', internal: false, cidr: '10.77.0.1/24' },
      ],
    },
    new Set(['eth0']),
  )
  t.same(links, [link('eth0', '10.77.0.1/24', true)])
})

t.test('init: the link without the default route is likelier to be the rack’s', async (t) => {
  const cases: readonly (readonly [links: readonly Link[], chosen: string])[] = [
    [[link('eth0', '10.0.0.5/24', true), link('eth1', '10.77.0.1/24')], 'eth1'],
    [[link('eth0', '10.77.0.1/24'), link('wlan0', '192.168.1.7/24', true)], 'eth0'],
    [[link('eth0', '10.0.0.5/24', true)], 'eth0'],
    [[link('eth0', '10.0.0.5/24', true), link('eth1', '203.0.113.5/24')], 'eth0'],
    [[link('eth0', '203.0.113.5/24', true)], 'eth0'],
  ]
  for (const [links, chosen] of cases) t.equal(chooseLink(links, undefined).name, chosen)
  // As Linux 6.1 prints it: a default route, one of the link, and one to half of the world, which is none.
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0',
    'tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0',
    '',
  ]
  t.same([...defaultRouteLinks(table.join('\n'))], ['eth0'])
})

t.test('init: overwrites nothing unasked, and says what there is', { timeout: 120_000 }, async (t) => {
  const dir = scratchDir(t)
  const file = path.join(dir, 'sub', 'pilotlight.yaml')
  const [unknown, first] = await Promise.all([
    runCli(['init', '--config', file, '--interface', 'nope0']),
    runCli(['init', '--stdout']),
  ])
  t.match(unknown, { code: 2, stderr: /no interface nope0; this machine has: / })
  t.match(unknown.stderr, /\ncure: name one of these, or give nope0 an IPv4 address first/)
  t.notOk(existsSync(file))
  if (first.code !== 0) {
    t.match(first.stderr, /this machine has: none/, 'a machine without any link')
    return
  }
  t.match(first.stdout, /^interface: /m)
  const { code, stdout } = await runCli(['init', '--config', file])
  t.equal(code, 0)
  t.match(
    stdout,
    `pilotlight doctor --config ${file} && pilotlight serve --config ${file}`,
    'what is typed next',
  )
  t.throws(() => init({ config: path.join(file, 'below-a-file.yaml') }), {
    message: /got EEXIST, want a file that this user may write\ncure: .*--config/,
  })
  const written = readFileSync(file, 'utf8')
  t.equal(written, first.stdout)
  writeFileSync(file, 'mine')
  t.match(await runCli(['init', '--config', file]), {
    code: 1,
    stderr: /is there already; --force overwrites it/,
  })
  t.equal(readFileSync(file, 'utf8'), 'mine')
  t.equal((await runCli(['init', '--config', file, '--force'])).code, 0)
  const said = await runCli(['init', '--config', file, '--force', '--json'])
  t.match(JSON.parse(said.stdout), { config: file, interface: String, address: /\/\d+$/, next: [String] })
  t.equal(readFileSync(file, 'utf8'), written)
})

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly cure: string
}

t.test(
  'doctor: every check has a name, what was found and, where it fails, a cure',
  { timeout: 120_000 },
  async (t) => {
    const server = new ServerProcess(t)
    const checksOf = async (): Promise<readonly Check[]> => {
      const { stdout } = await runCli(['doctor', '--config', server.configFile, '--json'])
      return JSON.parse(stdout).checks
    }
    const healthy = await checksOf()
    for (const { name, ok, detail, cure } of healthy) {
      t.ok(name !== '' && detail !== '', name)
      t.equal(cure === '', ok, `${name}: ${cure}`)
    }
    for (const name of [
      'configuration',
      'loaders',
      'data directory',
      'receive buffer',
      'DHCP port',
      'TFTP port',
      'boot HTTP port',
      'API port',
    ])
      t.ok(
        healthy.some((check) => check.name === name),
        name,
      )

    const occupier = net.createServer().listen(6080, server.address)
    await once(occupier, 'listening')
    t.teardown(() => occupier.close())
    rmSync(path.join(server.workDir, 'loaders', 'undionly.kpxe'))
    const ill = await checksOf()
    t.match(
      ill.find(({ name }) => name === 'boot HTTP port'),
      { ok: false, detail: /EADDRINUSE/, cure: /is pilotlight serving already/ },
    )
    t.match(
      ill.find(({ name }) => name === 'loaders'),
      { ok: false, detail: /undionly.kpxe is missing/, cure: 'pilotlight assets install' },
    )
    const table = await runCli(['doctor', '--config', server.configFile])
    t.equal(table.code, 1)
    t.match(table.stdout, /^CHECK +OK +DETAIL +CURE$/m)
    t.match(table.stdout, /^boot HTTP port +NO /m)

    for (const dataDir of [server.configFile, path.join(server.configFile, 'below')]) {
      const { stdout } = await runCli(['doctor', '--config', server.configFile, '--json'], {
        PILOTLIGHT_DATA_DIR: dataDir,
      })
      t.match(
        (JSON.parse(stdout).checks as Check[]).find(({ name }) => name === 'data directory'),
        { ok: false, detail: /pilotlight.yaml is a file/, cure: 'set data_dir to a directory' },
        'serve would refuse it',
      )
    }

    writeFileSync(server.configFile, 'interface: nope0\n')
    const wrong = await checksOf()
    t.match(wrong[0], {
      name: 'configuration',
      ok: false,
      detail: /pilotlight.yaml:1:12: interface: got nope0/,
      cure: /^want one of/,
    })
  },
)

t.test(
  'assets install: sizes and sha256 are recorded; a file that changed since is not served',
  { timeout: 120_000 },
  async (t) => {
    const dir = scratchDir(t)
    const from = path.join(dir, 'ipxe')
    const to = path.join(dir, 'loaders')
    mkdirSync(from)
    writeFileSync(path.join(from, 'undionly.kpxe'), 'a loader')
    writeFileSync(path.join(from, 'ipxe-arm64.efi'), 'another loader')
    const { code, stdout } = await runCli(['assets', 'install', '--from', from, '--to', to, '--json'])
    t.equal(code, 0)
    t.match(JSON.parse(stdout), {
      directory: to,
      files: [
        { name: 'undionly.kpxe', bytes: 8, sha256: /^[0-9a-f]{64}$/ },
        { name: 'snponly-arm64.efi', source_name: 'ipxe-arm64.efi', bytes: 14 },
      ],
    })
    t.same([...LoaderManifest.read(to).names].sort(), ['snponly-arm64.efi', 'undionly.kpxe'])

    writeFileSync(path.join(to, 'undionly.kpxe'), 'A loader')
    const changed = LoaderManifest.read(to)
    t.equal(changed.find('undionly.kpxe'), undefined)
    t.match(changed.problems, [
      /^loader undionly.kpxe has sha256 .*, the manifest says .*; install them: pilotlight assets install$/,
    ])
    writeFileSync(path.join(to, 'undionly.kpxe'), 'longer than it was')
    t.match(LoaderManifest.read(to).problems, [/has 18 bytes, the manifest says 8/])
    rmSync(path.join(to, 'undionly.kpxe'))
    t.match(LoaderManifest.read(to).problems, [/undionly.kpxe is missing/])
    writeFileSync(path.join(to, 'manifest.json'), '{}')
    t.match(LoaderManifest.read(to).problems, [/manifest.json is malformed; install them/])

    const empty = await runCli(['assets', 'install', '--from', dir, '--to', to])
    t.match(empty, {
      code: 1,
      stderr: /holds none of: undionly.kpxe.*\ncure: apt-get install ipxe, or name a directory/s,
    })
  },
)

t.test(
  'assets install: from Debian’s ipxe package',
  {
    skip:
      process.env.CI === 'true' || existsSync('/usr/lib/ipxe/undionly.kpxe')
        ? false
        : 'Debian’s ipxe is not installed',
  },
  async (t) => {
    const files = installLoaders('/usr/lib/ipxe', scratchDir(t))
    for (const name of ['undionly.kpxe', 'ipxe.pxe', 'snponly.efi']) {
      const file = files.find((one) => one.name === name)
      t.ok(file !== undefined && file.bytes > 50_000, name)
    }
  },
)

t.test(
  'serve: loaders that are not as they should be are a line each, with the cure',
  { timeout: 120_000 },
  async (t) => {
    const server = new ServerProcess(t)
    writeFileSync(path.join(server.workDir, 'loaders', 'snponly.efi'), 'something else')
    await server.start()
    const told = server.logged.filter(({ msg }) => msg === 'loaders are not as they should be')
    t.match(told, [{ level: 40, problem: /^loader snponly.efi has 14 bytes, .*pilotlight assets install$/ }])

    const to = path.join(server.workDir, 'loaders')
    const from = scratchDir(t)
    writeFileSync(path.join(from, 'snponly.efi'), 'a loader')
    const { stdout } = await runCli(['assets', 'install', '--from', from, '--to', to])
    t.match(stdout, /^a server that runs takes them when it is started again$/m)
    const { checks } = JSON.parse(
      (await runCli(['doctor', '--config', server.configFile, '--json'])).stdout,
    ) as { checks: { name: string; cure: string }[] }
    t.match(
      checks.filter(({ name, cure }) => name === 'server' && cure !== ''),
      [{ detail: /^loader snponly.efi has 14 bytes/, cure: 'it read them when it started: start it again' }],
      'what the server read at its start is not cured by installing once more',
    )
  },
)
