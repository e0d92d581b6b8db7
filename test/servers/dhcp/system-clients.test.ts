import { existsSync } from 'node:fs'
import t from 'tap'
import { unpackedPackages } from '../../support/debian-programs.ts'
import { ClientWorld, skipWithout } from '../../support/dhcp-client-world.ts'
import { inside } from '../../support/dhcp-netns.ts'

const NETWORKD = '/lib/systemd/systemd-networkd'
const withNetworkd = skipWithout() || (existsSync(NETWORKD) ? false : 'systemd-networkd is not installed')

/** Directories of its own for what a daemon keeps: the namespace's mounts are nobody else's. */
const PRIVATE = 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib'

t.test(
  'systemd-networkd: a lease by its DUID client id, echoed, and the address on the link',
  { skip: withNetworkd, timeout: 60_000 },
  async (t) => {
    const world = await ClientWorld.start(t)
    // Without a systemd as process 1 and without udev: with /sys read-only it takes links as a container's, ready as they are.
    const start = world.script(
      'networkd',
      `#!/bin/sh -e
${PRIVATE}
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
printf '[Match]\\nName=c0\\n[Network]\\nDHCP=ipv4\\nIPv6AcceptRA=no\\nLinkLocalAddressing=no\\n' > /run/systemd/network/c0.network
chown -R systemd-network /run/systemd/netif
mount -o remount,ro /sys
export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console
exec ${NETWORKD}
`,
    )
    const client = world.namespaces.start(world.clientSide, [start])
    t.match(await world.server.line(/^discover/), 'discover broadcast offered-from-pool offer 10.88.0.100')
    t.match(await world.server.line(/^request/), 'request broadcast lease-granted ack 10.88.0.100')
    t.match(await client.line(/DHCPv4 address/), '10.88.0.100/24')
    await client.line(/c0: .*configured|c0: State changed: configuring -> configured/)
    t.match(inside(world.clientSide, 'ip', 'address', 'show', 'c0'), '10.88.0.100/24')
  },
)

t.test(
  'dhcpcd: a lease, its release, and INFORM for an address of its own',
  { skip: skipWithout(), timeout: 90_000 },
  async (t) => {
    // Unpacked, not installed: its package would start it on the machine's links.
    const root = await unpackedPackages(['dhcpcd-base'])
    const world = await ClientWorld.start(t)
    const dhcpcd = (name: string, ...args: readonly string[]) =>
      world.namespaces.start(world.clientSide, [
        world.script(name, `#!/bin/sh -e\n${PRIVATE}\nexec ${root}/usr/sbin/dhcpcd "$@"\n`),
        ...[
          '-B',
          '-4',
          '-d',
          '-f',
          '/dev/null',
          '-c',
          '/bin/true',
          '--noarp',
          '--noipv4ll',
          '-p',
          ...args,
          'c0',
        ],
      ])
    const client = dhcpcd('lease')
    t.match(await world.server.line(/^request/), 'request broadcast lease-granted ack 10.88.0.100')
    await client.line(/leased 10\.88\.0\.100 for 3600 seconds/)
    // What `dhcpcd --release` sends to the one that runs.
    client.child.kill('SIGALRM')
    t.match(await world.server.line(/^release/), /lease-released/)
    await client.ended()
    inside(world.clientSide, 'ip', 'address', 'flush', 'dev', 'c0')
    inside(world.clientSide, 'ip', 'address', 'add', '10.88.0.200/24', 'dev', 'c0')
    const informing = dhcpcd('inform', '--inform')
    t.match(await world.server.line(/^inform/), /inform \w+ informed ack 0\.0\.0\.0 10\.88\.0\.200/)
    await informing.line(/received approval for 10\.88\.0\.200/)
  },
)
