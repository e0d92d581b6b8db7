import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { inside, Namespaces, noNamespaces, type Program } from '../../support/dhcp-netns.ts'

const missing = noNamespaces()
const hasProgram = (name: string) => spawnSync('which', [name]).status === 0

function skipWithout(...programs: readonly string[]): string | false {
  if (missing !== undefined) return missing
  const absent = programs.filter((name) => !hasProgram(name))
  return absent.length === 0 ? false : `not installed: ${absent.join(', ')}`
}

const UDHCPC_SCRIPT = `#!/bin/sh
case "$1" in
  bound|renew) ip address replace "$ip/$mask" dev "$interface" ;;
esac
echo "event $1 ip=$ip mask=$mask router=$router dns=$dns domain=$domain hostname=$hostname" \\
  "lease=$lease server=$serverid siaddr=$siaddr file=$boot_file tftp=$tftp"
`

/** The server in one namespace, a client's in another, a cable between. */
function setUp(t: { teardown(done: () => unknown): void }) {
  const namespaces = new Namespaces()
  const folder = mkdtempSync(join(tmpdir(), 'dhcp-clients-'))
  t.teardown(async () => {
    await namespaces.clear()
    rmSync(folder, { recursive: true })
  })
  const script = join(folder, 'script')
  writeFileSync(script, UDHCPC_SCRIPT)
  chmodSync(script, 0o755)
  const serverSide = namespaces.add('s')
  const clientSide = namespaces.add('c')
  return { namespaces, folder, script, serverSide, clientSide }
}

async function serve(namespaces: Namespaces, ns: string): Promise<Program> {
  const program = fileURLToPath(new URL('../../support/dhcp-netns-server.ts', import.meta.url))
  const server = namespaces.start(ns, [process.execPath, program])
  await server.line(/^listening$/)
  return server
}

const udhcpc = (script: string, device: string, ...more: readonly string[]) => [
  ...['busybox', 'udhcpc', '-f', '-i', device, '-s', script, '-t', '5', '-T', '1', '-A', '1', ...more],
]

t.test('busybox udhcpc: lease, renewal by unicast, release', { skip: skipWithout('busybox') }, async (t) => {
  const { namespaces, script, serverSide, clientSide } = setUp(t)
  namespaces.join([serverSide, 's0', '10.88.0.1/24'], [clientSide, 'c0'], '02:00:00:00:00:03')
  const server = await serve(namespaces, serverSide)
  const client = namespaces.start(clientSide, udhcpc(script, 'c0'))
  t.equal(
    await client.line(/^event bound/),
    'event bound ip=10.88.0.100 mask=24 router=10.88.0.1 dns=10.88.0.53 domain=rack.example hostname=node03' +
      ' lease=3600 server=10.88.0.1 siaddr= file= tftp=',
  )
  t.match(await server.line(/^discover/), 'discover broadcast offered-from-pool offer')
  t.match(await server.line(/^request/), 'request broadcast lease-granted ack')
  client.child.kill('SIGUSR1')
  t.match(await server.line(/^request/), 'request unicast lease-renewed ack 10.88.0.100 10.88.0.100')
  t.match(await client.line(/^event renew/), 'ip=10.88.0.100')
  client.child.kill('SIGUSR2')
  t.match(await server.line(/^release/), 'release unicast lease-released')
})

t.test(
  'busybox udhcpc that says it is a PXE client is told where its loader is',
  { skip: skipWithout('busybox') },
  async (t) => {
    const { namespaces, script, serverSide, clientSide } = setUp(t)
    namespaces.join([serverSide, 's0', '10.88.0.1/24'], [clientSide, 'c0'], '02:00:00:00:00:03')
    await serve(namespaces, serverSide)
    const asPxe = [
      '-V',
      'PXEClient:Arch:00007:UNDI:003000',
      '-x',
      '0x5d:0007',
      '-O',
      'tftp',
      '-O',
      'bootfile',
    ]
    const client = namespaces.start(clientSide, udhcpc(script, 'c0', ...asPxe))
    t.match(await client.line(/^event bound/), 'siaddr=10.88.0.1 file=snponly.efi tftp=10.88.0.1')
  },
)

t.test(
  'ISC dhclient: a lease remembered from another network is refused, and a new one taken',
  { skip: skipWithout('dhclient') },
  async (t) => {
    const { namespaces, folder, serverSide, clientSide } = setUp(t)
    namespaces.join([serverSide, 's0', '10.88.0.1/24'], [clientSide, 'c0'], '02:00:00:00:00:03')
    const server = await serve(namespaces, serverSide)
    const leases = join(folder, 'leases')
    writeFileSync(
      leases,
      `lease {
  interface "c0";
  fixed-address 198.51.100.77;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 86400;
  option dhcp-server-identifier 198.51.100.1;
  renew 4 2037/01/01 00:00:00;
  rebind 4 2037/01/01 00:00:00;
  expire 4 2037/01/01 00:00:00;
}
`,
    )
    const script = join(folder, 'dhclient-script')
    writeFileSync(
      script,
      '#!/bin/sh\ntest "$reason" != BOUND || ip address replace "$new_ip_address/24" dev "$interface"\nexit 0\n',
    )
    chmodSync(script, 0o755)
    const files = ['-lf', leases, '-pf', join(folder, 'pid'), '-sf', script, '-cf', '/dev/null']
    const client = namespaces.start(clientSide, ['dhclient', '-1', '-d', '-v', ...files, 'c0'])
    t.match(await server.line(/^request/), 'request broadcast wrong-network nak 0.0.0.0 255.255.255.255')
    t.match(await server.line(/^discover/), 'offered-from-pool offer 10.88.0.100')
    t.match(await server.line(/^request/), 'lease-granted ack 10.88.0.100')
    await client.line(/bound to 10\.88\.0\.100/)
    t.match(readFileSync(leases, 'utf8'), 'fixed-address 10.88.0.100')
    t.match(inside(clientSide, 'ip', 'address', 'show', 'c0'), '10.88.0.100/24')
    const files2 = files.map((one) => (one.endsWith('pid') ? join(folder, 'pid2') : one))
    namespaces.start(clientSide, ['dhclient', '-r', ...files2, 'c0'])
    t.match(await server.line(/^release/), 'release unicast lease-released')
  },
)
