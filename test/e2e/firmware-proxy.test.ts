import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import { untilListening } from '../bench/dhcp/servers.ts'
import { aFirmwareMachine, parkedLine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'
import { startKea } from '../support/kea.ts'
import { startLeasingDnsmasq } from '../support/leasing-dnsmasq.ts'

const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

const SUBNET = 'subnets: [{ cidr: 10.77.0.0/24 }]\n'

/** Other DHCP servers on the link at 10.77.0.2, which lease addresses and know nothing of booting. */
const ADDRESS_SERVERS = {
  dnsmasq: startLeasingDnsmasq,
  async kea(rack: FirmwareRack, ns: string): Promise<void> {
    const program = await startKea(rack.namespaces, ns, rack.workDir, {
      'interfaces-config': { interfaces: ['eth0'], 'dhcp-socket-type': 'raw' },
      'valid-lifetime': 3600,
      authoritative: true,
      subnet4: [{ subnet: '10.77.0.0/24', pools: [{ pool: '10.77.0.50 - 10.77.0.99' }] }],
    })
    await untilListening(rack.namespaces, ns, program)
  },
}

async function rackBeside(
  t: { teardown(done: () => unknown): void },
  other: keyof typeof ADDRESS_SERVERS,
  yaml: string,
): Promise<FirmwareRack> {
  const rack = await FirmwareRack.start({ yaml })
  t.teardown(() => rack.close())
  await ADDRESS_SERVERS[other](rack, rack.addHost('other', '10.77.0.2/24'))
  await rack.capture('machines')
  return rack
}

/** The other DHCP servers that ours has heard, as soon as there is one. */
async function heardServers(rack: FirmwareRack): Promise<readonly object[]> {
  for (let tries = 0; tries < 60; tries += 1) {
    const { foreign_servers: heard } = await rack.get<{ foreign_servers: readonly object[] }>('/dhcp')
    if (heard.length > 0) return heard
    await setTimeout(500)
  }
  return []
}

t.test(
  'beside another server that leases, machines reach their boot scripts',
  { skip, timeout: 300_000 },
  async (t) => {
    const rack = await rackBeside(t, 'dnsmasq', `interface: eth0\ndhcp: { mode: proxy }\n${SUBNET}`)
    const bios = aFirmwareMachine(1, 'bios')
    const chained = aFirmwareMachine(2, 'bios', { loader: 'ipxe.pxe' })
    const uefi = aFirmwareMachine(3, 'uefi')
    await parkedLine(await rack.boot(bios), bios)
    const consoles = await Promise.all([rack.boot(chained), rack.boot(uefi)])
    await Promise.all([parkedLine(consoles[0], chained), parkedLine(consoles[1], uefi)])

    for (const { name } of [chained, uefi]) {
      const stages = (await rack.boots(name))[0]?.stages.map(({ stage }) => stage)
      t.ok(stages?.includes('loader-sent'), `${name}: the loader is in the record`)
    }
    const messages = await rack.captured('machines')
    const ours = messages.filter(({ from }) => from.startsWith('10.77.0.1:'))
    for (const machine of [bios, chained, uefi]) {
      t.match(await rack.machine(machine.name), { uuid: machine.uuid, serial: machine.serial }, machine.name)
    }
    t.strictSame([...new Set(ours.map(({ yiaddr }) => yiaddr))], ['0.0.0.0'], 'we lease no address')
    t.strictSame([...new Set(ours.map(({ warning }) => warning))], [''], 'every reply of ours is clean')
    t.strictSame(
      ours.filter(({ from, type }) => from === '10.77.0.1:67' && type !== 2),
      [],
      'from port 67 offers only: REQUESTs there are the other server’s',
    )
    t.ok(
      messages.some(({ from, type }) => from === '10.77.0.2:67' && type === 5),
      'the other server leased',
    )
    const asked = messages.filter(({ to }) => to === '10.77.0.1:4011')
    t.ok(asked.length > 0, 'UEFI asks port 4011, since the offer has no option 43')
    t.match(
      ours.find(({ from }) => from === '10.77.0.1:4011'),
      { type: 5, file: 'snponly.efi', to: /:4011$/ },
    )
  },
)

t.test(
  'beside Kea that leases, BIOS and UEFI reach their scripts, and nobody is told of a foreign server',
  { skip, timeout: 300_000 },
  async (t) => {
    // Kea sends even its broadcasts to the client's own MAC, so that only our probe, every 10 s, hears of it.
    const dhcp = '{ mode: proxy, watch_seconds: 10 }'
    const rack = await rackBeside(t, 'kea', `interface: eth0\ndhcp: ${dhcp}\n${SUBNET}`)
    const machines = [aFirmwareMachine(5, 'bios'), aFirmwareMachine(6, 'uefi')]
    await Promise.all(machines.map(async (machine) => parkedLine(await rack.boot(machine), machine)))

    const messages = await rack.captured('machines')
    const ours = messages.filter(({ from }) => from.startsWith('10.77.0.1:'))
    t.strictSame([...new Set(ours.map(({ yiaddr }) => yiaddr))], ['0.0.0.0'], 'we lease no address')
    t.strictSame([...new Set(ours.map(({ warning }) => warning))], [''], 'every reply of ours is clean')
    t.match(
      ours.find(({ from }) => from === '10.77.0.1:4011'),
      { type: 5, file: 'snponly.efi', to: /:4011$/ },
      'UEFI got its file from port 4011',
    )
    const leased = messages.filter(({ from, type }) => from === '10.77.0.2:67' && type === 5)
    t.ok(leased.length >= 3, `Kea leased to firmware and to what it loaded: ${leased.length} ACKs`)
    t.ok(leased.every(({ yiaddr }) => /^10\.77\.0\.[5-9]\d$/.test(yiaddr)))

    t.match(await heardServers(rack), [{ server_id: '10.77.0.2', has_boot_data: false }], 'it is known')
    const { items: events } = await rack.get<{ items: readonly { type: string }[] }>('/events?limit=500')
    t.ok(events.length > 0)
    t.strictSame(
      events.map(({ type }) => type).filter((type) => type.startsWith('dhcp.foreign')),
      [],
      'and no news: it is what leases the addresses here',
    )
  },
)

t.test(
  'proxy.uefi direct: UEFI uses the file of the offer and never asks port 4011',
  { skip, timeout: 200_000 },
  async (t) => {
    const rack = await rackBeside(
      t,
      'dnsmasq',
      `interface: eth0\ndhcp: { mode: proxy, proxy_uefi: direct }\n${SUBNET}`,
    )
    const machine = aFirmwareMachine(4, 'uefi')
    await parkedLine(await rack.boot(machine), machine)
    const messages = await rack.captured('machines')
    t.strictSame(
      messages.filter(({ to }) => to.endsWith(':4011')),
      [],
    )
    t.ok(messages.some(({ from, file }) => from === '10.77.0.1:67' && file === 'snponly.efi'))
  },
)
