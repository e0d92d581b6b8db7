import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { unpackedPackages } from '../../support/debian-programs.ts'
import { skipWithout } from '../../support/dhcp-client-world.ts'
import { inside, Namespaces } from '../../support/dhcp-netns.ts'

const SERVER = fileURLToPath(new URL('../../support/dhcp-netns-server.ts', import.meta.url))
const SCRIPT = `#!/bin/sh
case "$1" in
  bound|renew) ip address replace "$ip/$mask" dev "$interface" ;;
esac
echo "event $1 ip=$ip mask=$mask router=$router"
`

/** Each relay: its command between 10.89.0.1 (r1, the clients' side) and 10.88.0.1, and what it says when it is ready. */
const RELAYS: readonly (readonly [
  name: string,
  command: () => Promise<readonly string[]>,
  ready: RegExp | undefined,
])[] = [
  [
    'dnsmasq',
    async () => [
      ...['dnsmasq', '--keep-in-foreground', '--port=0', '--conf-file=/dev/null', '--log-facility=-'],
      ...['--log-dhcp', '--pid-file', '--dhcp-relay=10.89.0.1,10.88.0.1'],
    ],
    /DHCP relay from 10\.89\.0\.1/,
  ],
  [
    'ISC dhcrelay with option 82',
    async () => [
      `${await unpackedPackages(['isc-dhcp-relay'])}/usr/sbin/dhcrelay`,
      ...['-4', '-d', '-a', '-m', 'replace', '-iu', 'r0', '-id', 'r1', '10.88.0.1'],
    ],
    /Sending on +Socket/,
  ],
  [
    'dhcp-helper',
    async () => [
      `${await unpackedPackages(['dhcp-helper'])}/usr/sbin/dhcp-helper`,
      ...['-n', '-s', '10.88.0.1', '-i', 'r1'],
    ],
    undefined,
  ],
]

for (const [name, command, ready] of RELAYS) {
  t.test(
    `behind ${name}: the address of the relayed link, and renewal straight to the server`,
    { skip: skipWithout('busybox', 'dnsmasq'), timeout: 60_000 },
    async (t) => {
      const namespaces = new Namespaces()
      const folder = mkdtempSync(join(tmpdir(), 'dhcp-relay-'))
      t.teardown(async () => {
        await namespaces.clear()
        rmSync(folder, { recursive: true })
      })
      const script = join(folder, 'script')
      writeFileSync(script, SCRIPT)
      chmodSync(script, 0o755)
      const [serverSide, relaySide, clientSide] = ['s', 'r', 'c'].map((role) => namespaces.add(role)) as [
        string,
        string,
        string,
      ]
      namespaces.join([serverSide, 's0', '10.88.0.1/24'], [relaySide, 'r0', '10.88.0.2/24'])
      namespaces.join([relaySide, 'r1', '10.89.0.1/24'], [clientSide, 'c0'], '02:00:00:00:00:04')
      inside(serverSide, 'ip', 'route', 'add', '10.89.0.0/24', 'via', '10.88.0.2')
      inside(relaySide, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
      const server = namespaces.start(serverSide, [process.execPath, SERVER])
      await server.line(/^listening$/)
      const relay = namespaces.start(relaySide, await command())
      if (ready !== undefined) await relay.line(ready)
      const client = namespaces.start(clientSide, [
        ...['busybox', 'udhcpc', '-f', '-i', 'c0', '-s', script, '-t', '10', '-T', '1', '-A', '1'],
      ])
      t.match(await client.line(/^event bound/), 'ip=10.89.0.60 mask=24 router=10.89.0.1')
      t.match(await server.line(/^request/), 'request unicast lease-granted ack 10.89.0.60 10.89.0.1')
      inside(clientSide, 'ip', 'route', 'add', 'default', 'via', '10.89.0.1')
      client.child.kill('SIGUSR1')
      t.match(await server.line(/^request/), 'request unicast lease-renewed ack 10.89.0.60 10.89.0.60')
      t.match(await client.line(/^event renew/), 'ip=10.89.0.60')
    },
  )
}
