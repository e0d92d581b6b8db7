import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ClientWorld, skipWithout } from '../../support/dhcp-client-world.ts'
import { inside } from '../../support/dhcp-netns.ts'

const SCRIPT = `#!/bin/sh
case "$reason" in
  BOUND|RENEW|REBIND|REBOOT)
    busybox arping -D -q -c 1 -I "$interface" "$new_ip_address" || exit 1
    ip address replace "$new_ip_address/24" dev "$interface" ;;
esac
exit 0
`

function dhclient(world: ClientWorld, name: string, ...args: readonly string[]) {
  const conf = join(world.folder, 'dhclient.conf')
  // Times of its own, so that a lease is renewed while somebody waits.
  writeFileSync(
    conf,
    'supersede dhcp-renewal-time 2;\nsupersede dhcp-rebinding-time 4;\ntimeout 20;\nretry 5;\n',
  )
  const files = ['-lf', join(world.folder, 'leases'), '-pf', join(world.folder, `${name}.pid`)]
  const script = world.script('dhclient-script', SCRIPT)
  return world.namespaces.start(world.clientSide, [
    ...['dhclient', '-d', '-v', '-cf', conf, '-sf', script, ...files, ...args, 'c0'],
  ])
}

t.test(
  'ISC dhclient: a lease, renewed by unicast, rebound by broadcast, released',
  { skip: skipWithout('dhclient', 'busybox'), timeout: 100_000 },
  async (t) => {
    const world = await ClientWorld.start(t)
    const client = dhclient(world, 'first')
    t.match(await world.server.line(/^request/), 'request broadcast lease-granted ack 10.88.0.100')
    await client.line(/bound to 10\.88\.0\.100/)
    t.match(await world.server.line(/^request/), 'request unicast lease-renewed ack 10.88.0.100 10.88.0.100')
    inside(world.clientSide, 'ip', 'route', 'add', 'blackhole', '10.88.0.1/32')
    const rebound = await world.server.line(/^request broadcast/)
    t.match(rebound, 'request broadcast lease-renewed ack 10.88.0.100')
    inside(world.clientSide, 'ip', 'route', 'delete', 'blackhole', '10.88.0.1/32')
    await client.end()
    dhclient(world, 'second', '-r')
    t.match(await world.server.line(/^release/), 'release unicast lease-released')
  },
)

t.test(
  'ISC dhclient declines an address that another host has, and gets another one',
  { skip: skipWithout('dhclient', 'busybox'), timeout: 100_000 },
  async (t) => {
    const world = await ClientWorld.start(t)
    world.addHost('h', '10.88.0.100/24')
    const client = dhclient(world, 'first')
    t.match(await world.server.line(/^request/), 'lease-granted ack 10.88.0.100')
    t.match(await world.server.line(/^decline/), 'decline broadcast address-declined')
    t.match(await world.server.line(/^request/), 'lease-granted ack 10.88.0.101')
    await client.line(/bound to 10\.88\.0\.101/)
  },
)

t.test(
  'busybox udhcpc that looks for the address first declines it too',
  { skip: skipWithout('busybox'), timeout: 60_000 },
  async (t) => {
    const world = await ClientWorld.start(t)
    world.addHost('h', '10.88.0.100/24')
    const script = world.script('script', '#!/bin/sh\necho "event $1 ip=$ip"\n')
    const client = world.namespaces.start(world.clientSide, [
      ...['busybox', 'udhcpc', '-f', '-i', 'c0', '-s', script, '-a', '-A', '1', '-T', '1'],
    ])
    t.match(await world.server.line(/^decline/), 'decline broadcast address-declined')
    t.match(await client.line(/^event bound/), 'ip=10.88.0.101')
  },
)
