import t from 'tap'
import { parseIpv4Range } from '../../../src/net/ipv4.ts'
import { classifyClient } from '../../../src/policy/dhcp/classify-client.ts'
import { DhcpWorld, ip, machineOf, settingsOf, subnetOf } from '../../support/dhcp-builders.ts'
import { readCaptures } from '../../support/dhcp-captures.ts'

const CAPTURES = readCaptures()

/** The link of the captures, every machine on it known. */
function rackOf(mode: 'authoritative' | 'proxy'): DhcpWorld {
  const world = new DhcpWorld()
  world.settings = settingsOf({
    mode,
    serverAddress: ip('10.99.0.1'),
    // In two captures the boot server has an address of its own.
    otherAddresses: [ip('10.99.0.2')],
    bootUrl: 'http://10.99.0.1:8080',
  })
  world.subnets = [
    subnetOf('10.99.0.0/24', { pool: parseIpv4Range('10.99.0.50-10.99.0.99')! }),
    subnetOf('10.99.1.0/24', { pool: parseIpv4Range('10.99.1.50-10.99.1.99')! }),
  ]
  world.machines = [1, 2, 4, 5, 6].map((n) => machineOf(n, { macs: [`52:54:00:99:00:0${n}` as never] }))
  return world
}

const SCRIPT = 'script'
const NOTHING = ''

/** Capture -> what the client is, and the file that it is told. */
const EXPECTED: Readonly<Record<string, readonly [kind: string, file: string]>> = {
  'bios-ipxe-rom-e1000 1': ['ipxe', SCRIPT],
  'bios-ipxe-rom-e1000 3': ['ipxe', SCRIPT],
  'bios-ipxe-rom-e1000 6': ['plain', NOTHING],
  'bios-rom-undionly 1': ['ipxe', SCRIPT],
  'bios-rom-undionly 3': ['ipxe', SCRIPT],
  'bios-rom-undionly 6': ['ipxe', SCRIPT],
  'bios-rom-undionly 8': ['ipxe', SCRIPT],
  'linux-systemd-networkd 1': ['ipxe', SCRIPT],
  'linux-systemd-networkd 3': ['ipxe', SCRIPT],
  'linux-systemd-networkd 5': ['plain', NOTHING],
  'linux-systemd-networkd 7': ['plain', NOTHING],
  'proxydhcp-bios-nofile 1': ['ipxe', SCRIPT],
  'proxydhcp-bios-nofile 4': ['ipxe', SCRIPT],
  'proxydhcp-bios-nofile 6': ['ipxe', SCRIPT],
  'proxydhcp-uefi-direct 1': ['pxe', 'snponly.efi'],
  'proxydhcp-uefi-direct 4': ['pxe', 'snponly.efi'],
  'proxydhcp-uefi-direct 6': ['pxe', 'snponly.efi'],
  'proxydhcp-uefi-direct 13': ['ipxe', SCRIPT],
  'proxydhcp-uefi-direct 16': ['ipxe', SCRIPT],
  'proxydhcp-uefi-direct 20': ['plain', NOTHING],
  'proxydhcp-uefi-direct 22': ['plain', NOTHING],
  'relay-dhcrelay-bios 1': ['ipxe', SCRIPT],
  'relay-dhcrelay-bios 3': ['ipxe', SCRIPT],
  'uefi-arm64-pxe4-ipxe 1': ['pxe', 'snponly-arm64.efi'],
  'uefi-arm64-pxe4-ipxe 3': ['pxe', 'snponly-arm64.efi'],
  'uefi-arm64-pxe4-ipxe 5': ['ipxe', SCRIPT],
  'uefi-arm64-pxe4-ipxe 7': ['ipxe', SCRIPT],
  'uefi-x64-httpboot 2': ['http', 'http://10.99.0.1:8080/assets/snponly.efi'],
  'uefi-x64-httpboot 4': ['http', 'http://10.99.0.1:8080/assets/snponly.efi'],
  'uefi-x64-httpboot 7': ['ipxe', SCRIPT],
  'uefi-x64-httpboot 10': ['ipxe', SCRIPT],
  'uefi-x64-pxe4-snponly 2': ['pxe', 'snponly.efi'],
  'uefi-x64-pxe4-snponly 4': ['pxe', 'snponly.efi'],
}

t.test('every captured message is in the table', async (t) => {
  t.same(
    CAPTURES.map((one) => one.name),
    Object.keys(EXPECTED),
  )
})

t.test('real firmware, loaders and systems get what they are for', async (t) => {
  for (const { name, request } of CAPTURES) {
    const { reply, reason } = rackOf('authoritative').handle(request)
    const [kind, file = ''] = EXPECTED[name] ?? []
    const mac = `52-54-00-99-00-0${request.packet.chaddr[5]}`
    t.equal(classifyClient(request.packet).kind, kind, name)
    t.equal(reply?.packet.file, file === SCRIPT ? `http://10.99.0.1:8080/boot/${mac}.ipxe` : file, name)
    const isRequest = request.packet.messageType === 'request'
    t.equal(reply?.packet.messageType, isRequest ? 'ack' : 'offer', `${name}: ${reason}`)
  }
})

t.test('one machine keeps one address over firmware, loader and operating system', async (t) => {
  for (const capture of ['bios-rom-undionly', 'linux-systemd-networkd', 'uefi-x64-pxe4-snponly']) {
    const world = rackOf('authoritative')
    const addresses = new Set<string | undefined>()
    for (const { request } of CAPTURES.filter((one) => one.name.startsWith(capture))) {
      if (request.packet.messageType === 'discover') {
        addresses.add(world.handle(request).reply?.packet.yiaddr)
      }
    }
    t.equal(addresses.size, 1, capture)
  }
})

t.test('a relay’s option 82 comes back as it came, at the relay’s own address', async (t) => {
  const captured = CAPTURES.find((one) => one.name === 'relay-dhcrelay-bios 1')!
  const { reply } = rackOf('authoritative').handle(captured.request)
  t.match(reply, { address: '10.99.1.1', port: 67, towards: 'relay' })
  t.match(reply?.packet.yiaddr, /^10\.99\.1\./, 'the subnet of the relay')
  t.same(reply?.packet.options.get(82), captured.request.packet.options.get(82))
})

t.test('in proxy mode boot clients get boot data, all others and all REQUESTs on 67 silence', async (t) => {
  for (const { name, request } of CAPTURES) {
    const { reply, reason } = rackOf('proxy').handle(request)
    const [kind] = EXPECTED[name] ?? []
    if (request.arrival.socket === 'pxe') {
      t.match(reply, { from: 'pxe', packet: { messageType: 'ack', yiaddr: '0.0.0.0' } }, name)
    } else if (request.packet.messageType === 'request') {
      t.equal(reason, 'left-to-address-server', name)
    } else if (kind === 'plain') {
      t.equal(reason, 'no-boot-client', name)
    } else {
      t.match(reply?.packet, { messageType: 'offer', yiaddr: '0.0.0.0' }, name)
      for (const code of [51, 1, 3, 6, 66, 175]) t.notOk(reply?.packet.options.has(code), `${name}: ${code}`)
    }
  }
})
