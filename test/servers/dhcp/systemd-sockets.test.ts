import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import {
  type BoundAt,
  boundInTable,
  handedSockets,
  socketsOfLink,
} from '../../../src/servers/dhcp/systemd-sockets.ts'
import { ip } from '../../support/dhcp-builders.ts'
import { inside, Namespaces, noNamespaces } from '../../support/dhcp-netns.ts'

t.test('sd_listen_fds(3): descriptors from 3 on, by name, and only when they are meant for us', async (t) => {
  const environment = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'dhcp-eth1:dhcp-eth2' }
  t.same(handedSockets(environment, 7), [
    { fd: 3, name: 'dhcp-eth1' },
    { fd: 4, name: 'dhcp-eth2' },
    { fd: 5, name: 'unknown' },
  ])
  t.same(handedSockets(environment, 8), [], 'another process’s')
  t.same(handedSockets({ ...environment, LISTEN_FDS: 'x' }, 7), [])
  t.same(handedSockets({ ...environment, LISTEN_FDS: '-1' }, 7), [])
  t.same(handedSockets({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7), [{ fd: 3, name: 'unknown' }])
  t.same(handedSockets({}, 7), [])
})

t.test('where a socket is bound is read from the kernel’s table', async (t) => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 111 2 0000 0
  124: 01004D0A:0FAB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 222 2 0000 0
`
  t.same(boundInTable(table, '111'), { address: '0.0.0.0', port: 67 })
  t.same(boundInTable(table, '222'), { address: '10.77.0.1', port: 4011 })
  t.equal(boundInTable(table, '333'), undefined)
  t.equal(boundInTable('', '111'), undefined)
})

const BOUND: Readonly<Record<number, BoundAt>> = {
  3: { address: ip('0.0.0.0'), port: 67 },
  4: { address: ip('10.77.0.1'), port: 67 },
  5: { address: ip('10.77.0.1'), port: 4011 },
  6: { address: ip('0.0.0.0'), port: 67 },
  7: { address: ip('10.78.0.1'), port: 69 },
}
const handed = (...names: readonly string[]) => names.map((name, index) => ({ fd: 3 + index, name }))
const lookUp = (fd: number) => BOUND[fd]
const ports = { port: 67, proxyPort: 4011 }

t.test('a link gets the sockets of its name, each for what it is bound to', async (t) => {
  const all = handed('dhcp-eth1', 'dhcp-eth1', 'dhcp-eth1', 'dhcp-eth2', 'tftp')
  const of = (name: string) => socketsOfLink(all, { interface: name, isOnly: false, ...ports }, lookUp)
  t.same(of('eth1'), { broadcast: 3, unicast: 4, pxe: 5 })
  t.same(of('eth2'), { broadcast: 6 })
  t.same(of('eth3'), {})
})

t.test(
  'with one link, sockets of any name count by their port; those of another link’s name do not',
  async (t) => {
    const only = { interface: 'eth1', isOnly: true, ...ports }
    t.same(socketsOfLink(handed('pilotlight.socket', 'x', 'y'), only, lookUp), {
      broadcast: 3,
      unicast: 4,
      pxe: 5,
    })
    t.same(socketsOfLink(handed('dhcp-eth9', 'x', 'y', 'z', 'w'), only, lookUp), {
      broadcast: 6,
      unicast: 4,
      pxe: 5,
    })
  },
)

const programs = ['perl', 'busybox', 'dnsmasq'].filter((name) => spawnSync('which', [name]).status !== 0)
const skip = noNamespaces() ?? (programs.length > 0 ? `not installed: ${programs.join(', ')}` : false)

const START = fileURLToPath(new URL('../../../src/start.js', import.meta.url))
const HAND_OVER = fileURLToPath(new URL('../../support/hand-over-sockets.pl', import.meta.url))

/** A server with two links and a client on each; a folder for its files. */
function setUp(t: { teardown(done: () => unknown): void }) {
  const namespaces = new Namespaces()
  const folder = mkdtempSync(path.join(tmpdir(), 'dhcp-systemd-'))
  t.teardown(async () => {
    await namespaces.clear()
    rmSync(folder, { recursive: true })
  })
  const [server, first, second] = ['s', 'a', 'b'].map((role) => namespaces.add(role)) as [
    string,
    string,
    string,
  ]
  namespaces.join([server, 's0', '10.88.0.1/24'], [first, 'c0'], '02:00:00:00:00:03')
  namespaces.join([server, 's1', '10.89.0.1/24'], [second, 'c0'], '02:00:00:00:00:04')
  const config = path.join(folder, 'pilotlight.yaml')
  writeFileSync(
    config,
    `data_dir: ${folder}/data
assets_dir: ${folder}
interface: s0
further_interfaces: [s1]
unknown_machines: discover
dhcp: { conflict_probe: false, watch_seconds: 10 }
tftp: { enabled: false }
subnets:
  - { cidr: 10.88.0.0/24, pool: 10.88.0.100-10.88.0.199 }
  - { cidr: 10.89.0.0/24, pool: 10.89.0.100-10.89.0.199 }
`,
  )
  const serve = (...sockets: readonly string[]) =>
    namespaces.start(server, [
      ...['perl', HAND_OVER, ...sockets, '--'],
      ...[process.execPath, START, 'serve', '--config', config],
    ])
  return { namespaces, server, first, second, config, serve }
}

const UDHCPC = ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'c0', '-s', '/bin/true', '-t', '8', '-T', '2']
const AS_PXE = ['-V', 'PXEClient:Arch:00007:UNDI:003000', '-x', '0x5d:0007']

t.test(
  'two links by sockets of systemd: each client gets an address of its own link; doctor says how',
  { skip, timeout: 120_000 },
  async (t) => {
    const { namespaces, server, first, second, config, serve } = setUp(t)
    const program = serve(
      ...['s0', 's1'].flatMap((link, index) => [
        `dhcp-${link},0.0.0.0,67,${link}`,
        `dhcp-${link},10.8${8 + index}.0.1,67,${link}`,
        `dhcp-${link},10.8${8 + index}.0.1,4011,${link}`,
      ]),
    )
    await program.line(/Pilotlight is serving/)
    for (const [ns, net] of [
      [first, '10.88.0'],
      [second, '10.89.0'],
    ] as const) {
      const client = namespaces.start(ns, [...UDHCPC, ...AS_PXE])
      t.match(await client.line(/lease of|obtained/), net)
    }
    inside(second, 'ip', 'address', 'add', '10.89.0.50/24', 'dev', 'c0')
    const fetchScript = `const answer = await fetch('http://10.89.0.1:8080/boot.ipxe'); console.log(answer.status)`
    t.match(
      inside(second, process.execPath, '--input-type=module', '-e', fetchScript),
      '200',
      'HTTP on that link',
    )

    // A second DHCP server on the second link is heard by the watch, and doctor tells of it.
    const other = namespaces.start(second, [
      ...[
        'dnsmasq',
        '--keep-in-foreground',
        '--port=0',
        '--conf-file=/dev/null',
        '--log-facility=-',
        '--log-dhcp',
      ],
      ...['--interface=c0', '--bind-interfaces', '--dhcp-range=10.89.0.60,10.89.0.70,1h', '--no-ping'],
      ...[
        `--pid-file=${path.dirname(config)}/dnsmasq.pid`,
        `--dhcp-leasefile=${path.dirname(config)}/leases`,
      ],
    ])
    await other.line(/DHCPOFFER/)
    await program.line(/another DHCP server answered/)
    const { NODE_OPTIONS: _, ...env } = process.env
    const doctor = spawnSync(
      'ip',
      ['netns', 'exec', server, process.execPath, START, 'doctor', '--config', config, '--json'],
      { encoding: 'utf8', env },
    )
    const { checks } = JSON.parse(doctor.stdout) as {
      checks: { name: string; ok: boolean; detail: string }[]
    }
    const check = (name: string) => checks.find((one) => one.name === name)
    t.match(check('DHCP sockets'), { ok: true, detail: 's0: from systemd; s1: from systemd' })
    t.match(check('receive buffer')?.detail, /^\d+ bytes granted of 4194304/)
    t.match(check('other DHCP servers'), { ok: false, detail: /^10\.89\.0\.50 \(gave 10\.89\.0\.\d+\)/ })
  },
)

t.test(
  'several links without their sockets are refused with what to do',
  { skip, timeout: 60_000 },
  async (t) => {
    const { serve } = setUp(t)
    const program = serve('dhcp-s0,0.0.0.0,67,s0')
    await program.line(/link s1 has no socket that hears its broadcasts/)
    await program.line(/cure: start by systemd with a socket unit a link/)
    t.pass('told')
  },
)
