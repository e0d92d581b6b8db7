import t, { type Test } from 'tap'
import { parseIpv4Range } from '../../../src/net/ipv4.ts'
import { decideFileSent } from '../../../src/policy/boot/decide-file-sent.ts'
import { adoptLeases } from '../../../src/servers/dhcp/adopt-leases.ts'
import { readFileSentSnapshot } from '../../../src/store/snapshots/file-sent.ts'
import {
  arrivalFrom,
  clientRequest,
  hexOf,
  ip,
  LOCAL,
  leaseOf,
  type mac,
  machineOf,
  REMOTE,
  replyOf,
  S,
  subnetOf,
  vectorRequest,
} from '../../support/dhcp-builders.ts'
import { DhcpEngine } from '../../support/dhcp-engine.ts'

const PXE = { 60: hexOf('PXEClient'), 93: '0007' }
const POOR_IPXE = { 77: hexOf('iPXE'), 93: '0000', 175: '130100' }
const discover = (last: number, options: Readonly<Record<number, string>> = {}) =>
  clientRequest({ messageType: 'discover', last, options })
const select = (last: number, address: string) =>
  clientRequest({ messageType: 'request', last, options: { 50: address, 54: S } })

t.test('a lease that ended while the server was down stays its holder’s for one lease period', async (t) => {
  const pool = parseIpv4Range('192.0.2.100-192.0.2.100')!
  const engine = new DhcpEngine(t, { subnets: [{ ...LOCAL, pool }] })
  await engine.put(machineOf(3), machineOf(5))
  t.equal((await engine.handle(select(3, '192.0.2.100'))).reason, 'lease-granted')
  engine.restartAfter(3_700_000)
  t.equal((await engine.handle(discover(5))).reason, 'pool-exhausted', 'nobody else gets it')
  t.equal((await engine.handle(discover(3))).reason, 'offered-previous-lease')
  t.equal((await engine.handle(select(3, '192.0.2.100'))).reason, 'lease-granted')
  engine.nowMs += 3_700_000
  const other = await engine.handle(discover(5))
  t.equal(other.reason, 'offered-from-pool', 'a lease that ended while the server ran is free again')
})

t.test('a lease survives a restart; an offer does not, and is honoured all the same', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const { yiaddr } = replyOf(await engine.handle(discover(3)))
  engine.restartAfter(1000)
  t.equal((await engine.handle(select(3, yiaddr))).reason, 'lease-granted')
  engine.restartAfter(1000)
  const renewal = clientRequest({ messageType: 'request', last: 3, ciaddr: yiaddr }, arrivalFrom(yiaddr))
  t.equal((await engine.handle(renewal)).reason, 'lease-renewed')
})

const PAIR = parseIpv4Range('192.0.2.100-192.0.2.101')!

/** Two clients with a lease each, and then another prefix for their subnet. */
async function withAnotherPrefix(t: Test, cidr: string): Promise<DhcpEngine> {
  const engine = new DhcpEngine(t, { subnets: [{ ...LOCAL, pool: PAIR }] })
  await engine.put(machineOf(3), machineOf(5), machineOf(6))
  await engine.handle(select(3, '192.0.2.100'))
  await engine.handle(select(5, '192.0.2.101'))
  engine.config = { ...engine.config, subnets: [subnetOf(cidr, { pool: PAIR })] }
  await adoptLeases(engine.store, engine.config.subnets)
  return engine
}

for (const cidr of ['192.0.0.0/22', '192.0.2.0/25']) {
  t.test(`leases outlive a change of their subnet’s prefix to ${cidr}`, async (t) => {
    const engine = await withAnotherPrefix(t, cidr)
    const again = await engine.handle(discover(3))
    t.equal(again.reason, 'offered-previous-lease')
    t.equal(replyOf(again).yiaddr, '192.0.2.100')
    const renewal = clientRequest(
      { messageType: 'request', last: 5, ciaddr: '192.0.2.101' },
      arrivalFrom('192.0.2.101'),
    )
    t.equal((await engine.handle(renewal)).reason, 'lease-renewed')
    t.equal((await engine.handle(discover(6))).reason, 'pool-exhausted')
    engine.nowMs += 3_700_000
    t.equal((await engine.handle(discover(6))).reason, 'offered-from-pool', 'ended ones return to the pool')
  })
}

t.test('of two leases that one client has in the subnet now, the one that ends later stays', async (t) => {
  const engine = await withAnotherPrefix(t, '198.51.100.0/24')
  const leases = () => engine.store.lists.leases.list('', '', 10).map((one) => `${one.subnet} ${one.address}`)
  t.same(leases(), ['192.0.2.0/24 192.0.2.100', '192.0.2.0/24 192.0.2.101'], 'elsewhere nothing is touched')
  const lease = { ...leaseOf(3, '192.0.2.120'), subnet: '192.0.0.0/22' }
  for (const [minutes, want] of [
    [30, '192.0.2.100'],
    [90, '192.0.2.120'],
  ] as const) {
    await engine.carryOut([
      { kind: 'put-lease', lease: { ...lease, expiresAtMs: engine.nowMs + minutes * 60_000 } },
    ])
    await adoptLeases(engine.store, [subnetOf('192.0.0.0/22')])
    t.same(leases(), [`192.0.0.0/22 ${want}`, '192.0.0.0/22 192.0.2.101'])
    await adoptLeases(engine.store, [LOCAL])
  }
})

t.test('a client may decline three addresses in ten minutes, not more', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const reasons: string[] = []
  const addresses = new Set<string>()
  for (let round = 0; round < 4; round += 1) {
    const { yiaddr } = replyOf(await engine.handle(discover(3)))
    addresses.add(yiaddr)
    await engine.handle(select(3, yiaddr))
    const decline = clientRequest({ messageType: 'decline', last: 3, options: { 50: yiaddr, 54: S } })
    reasons.push((await engine.handle(decline)).reason)
  }
  t.same(reasons, ['address-declined', 'address-declined', 'address-declined', 'too-many-declines'])
  t.equal(addresses.size, 4, 'each time another address')
  engine.nowMs += 601_000
  const decline = clientRequest({
    messageType: 'decline',
    last: 3,
    options: { 50: replyOf(await engine.handle(discover(3))).yiaddr, 54: S },
  })
  t.equal((await engine.handle(decline)).reason, 'address-declined', 'after ten minutes again')
})

t.test('an exhausted pool is told once a minute, and known machines keep their addresses', async (t) => {
  const pool = parseIpv4Range('192.0.2.100-192.0.2.101')!
  const engine = new DhcpEngine(t, { subnets: [{ ...LOCAL, pool }] })
  await engine.addKnownMachines()
  await engine.put(machineOf(5), machineOf(6))
  await engine.handle(select(3, '192.0.2.100'))
  await engine.handle(select(5, '192.0.2.101'))
  for (let round = 0; round < 3; round += 1) {
    t.equal((await engine.handle(discover(6))).reason, 'pool-exhausted')
  }
  t.equal((await engine.handle(vectorRequest('V1'))).reason, 'offered-reservation')
  t.equal((await engine.handle(discover(3))).reason, 'offered-previous-lease')
  t.same(
    engine.eventTypes().filter((type) => type === 'pool.exhausted'),
    ['pool.exhausted'],
  )
  engine.nowMs += 61_000
  await engine.handle(discover(6))
  t.equal(engine.eventTypes().filter((type) => type === 'pool.exhausted').length, 2)
})

t.test('an eighth of the pool is kept for machines that somebody accepted', async (t) => {
  const pool = parseIpv4Range('192.0.2.100-192.0.2.107')!
  const engine = new DhcpEngine(t, { subnets: [{ ...LOCAL, pool }], unknownMachines: 'discover' })
  await engine.put(machineOf(3))
  let granted = 0
  for (let last = 20; last < 28; last += 1) {
    const offer = await engine.handle(discover(last, PXE))
    if (offer.reply === undefined) t.equal(offer.reason, 'pool-kept-for-accepted')
    else {
      await engine.handle(
        clientRequest({
          messageType: 'request',
          last,
          options: { ...PXE, 50: offer.reply.packet.yiaddr, 54: S },
        }),
      )
      granted += 1
    }
  }
  t.equal(granted, 7)
  t.equal((await engine.handle(discover(3))).reason, 'offered-from-pool')
})

const EIGHT = { ...LOCAL, pool: parseIpv4Range('192.0.2.100-192.0.2.107')! }
const eighth = (index: number) => `192.0.2.${100 + index}`

/** Ways in which strangers may want all eight addresses of a pool; each comes with one MAC an address. */
const GREEDY: readonly (readonly [
  name: string,
  takes: (engine: DhcpEngine, last: number, index: number) => Promise<string>,
])[] = [
  [
    'with offers that they never take',
    async (engine, last) => (await engine.handle(discover(last, PXE))).reason,
  ],
  [
    'by asking for each address',
    async (engine, last, index) => {
      const { reason } = await engine.handle(discover(last, { ...PXE, 50: eighth(index) }))
      await engine.handle(selectByPxe(last, eighth(index)))
      return reason
    },
  ],
  [
    'with REQUESTs for offers that were never made',
    async (engine, last, index) => (await engine.handle(selectByPxe(last, eighth(index)))).reason,
  ],
  [
    'by declining what they got',
    async (engine, last, index) => {
      const { reason, reply } = await engine.handle(discover(last, { ...PXE, 50: eighth(index) }))
      const address = reply?.packet.yiaddr ?? eighth(index)
      const options = { 50: address, 54: S }
      await engine.handle(clientRequest({ messageType: 'decline', last, options }))
      return reason
    },
  ],
]

const selectByPxe = (last: number, address: string) =>
  clientRequest({ messageType: 'request', last, options: { ...PXE, 50: address, 54: S } })

for (const [name, takes] of GREEDY) {
  t.test(`strangers do not get the eighth that is kept ${name}`, async (t) => {
    const engine = new DhcpEngine(t, { subnets: [EIGHT], unknownMachines: 'discover' })
    await engine.put(machineOf(3))
    const reasons: string[] = []
    for (let index = 0; index < 8; index += 1) reasons.push(await takes(engine, 20 + index, index))
    t.equal(reasons.filter((reason) => reason === 'pool-kept-for-accepted').length, 1)
    t.equal(reasons.at(-1), 'pool-kept-for-accepted')
    t.equal((await engine.handle(discover(3))).reason, 'offered-from-pool')
  })
}

t.test('a stranger who has an address keeps it, though the rest of the pool is kept', async (t) => {
  const engine = new DhcpEngine(t, { subnets: [EIGHT], unknownMachines: 'discover' })
  for (let index = 0; index < 7; index += 1) await engine.handle(selectByPxe(20 + index, eighth(index)))
  t.equal((await engine.handle(discover(20, PXE))).reason, 'offered-previous-lease')
  t.equal((await engine.handle(selectByPxe(20, eighth(0)))).reason, 'lease-granted')
  t.equal((await engine.handle(selectByPxe(27, eighth(7)))).reason, 'pool-kept-for-accepted')
})

t.test('machines are discovered at a bounded rate', async (t) => {
  const engine = new DhcpEngine(t, { unknownMachines: 'discover' })
  await engine.carryOut(
    Array.from({ length: 1000 }, (_, index) => ({
      kind: 'discover-machine',
      machineId: `m${index}`,
      mac: `02:00:00:01:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}` as ReturnType<
        typeof mac
      >,
      atMs: engine.nowMs,
    })),
  )
  t.equal((await engine.handle(discover(9, PXE))).reason, 'too-many-new-machines')
  engine.nowMs += 61_000
  t.equal((await engine.handle(discover(9, PXE))).reason, 'offered-from-pool')
})

t.test(
  'a machine that takes loader after loader is told of as looping, until it asks for its script',
  async (t) => {
    const engine = new DhcpEngine(t)
    await engine.addKnownMachines()
    const sent = { kind: 'note-loader-sent', machineId: 'machine-3' } as const
    for (let round = 0; round < 3; round += 1) {
      engine.nowMs += 10_000
      await engine.carryOut([{ ...sent, atMs: engine.nowMs }])
    }
    t.equal((await engine.handle(discover(3, PXE))).reply?.boot, 'loader', 'it is served all the same')
    await engine.handle(discover(3, PXE))
    t.same(
      engine.eventTypes().filter((type) => type === 'boot.loop'),
      ['boot.loop'],
      'told once a minute',
    )
    t.equal((await engine.handle(discover(3, POOR_IPXE))).reply?.boot, 'boot-loop', 'chained 10 s ago')
    await engine.carryOut([{ kind: 'forget-loader-sends', machineId: 'machine-3' }])
    t.equal((await engine.handle(discover(3, POOR_IPXE))).reply?.boot, 'chain-loader')
  },
)

t.test('each subnet may have a mode of its own', async (t) => {
  const engine = new DhcpEngine(t, {
    subnets: [{ ...LOCAL, dhcpMode: 'proxy' }, REMOTE, subnetOf('198.51.100.0/24', { dhcpMode: 'off' })],
  })
  await engine.addKnownMachines()
  t.equal((await engine.handle(vectorRequest('V1'))).reason, 'proxy-offered')
  t.equal((await engine.handle(vectorRequest('V2'))).reason, 'left-to-address-server')
  t.equal(
    (await engine.handle(vectorRequest('V10', arrivalFrom('198.51.100.2')))).reason,
    'offered-reservation',
  )
  const there = clientRequest({ messageType: 'discover', last: 3, giaddr: '198.51.100.2', options: PXE })
  t.equal((await engine.handle(there)).reason, 'dhcp-off')
})

t.test('a relay that stood in for us at the grant is believed at a renewal without its word', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const relay82 = `05 04 cb007100 0b 04 cb007101`.replaceAll(' ', '')
  const selecting = clientRequest({
    messageType: 'request',
    last: 4,
    giaddr: '203.0.113.1',
    options: { 50: '203.0.113.60', 54: '203.0.113.1', 82: relay82 },
  })
  const ack = replyOf(await engine.handle(selecting))
  t.equal(ack.messageType, 'ack')
  engine.restartAfter(1000)
  const renewal = clientRequest(
    { messageType: 'request', last: 4, ciaddr: '203.0.113.60' },
    arrivalFrom('203.0.113.60'),
  )
  const renewed = replyOf(await engine.handle(renewal))
  t.equal(renewed.messageType, 'ack')
  t.same(renewed.options.get(54), Uint8Array.of(203, 0, 113, 1), 'still named as the server')
  const release = clientRequest(
    { messageType: 'release', last: 4, ciaddr: '203.0.113.60', options: { 54: '203.0.113.1' } },
    arrivalFrom('203.0.113.60'),
  )
  t.equal((await engine.handle(release)).reason, 'lease-released')
})

t.test('§1.2: option 118 selects the subnet where the relay does not', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const there = clientRequest({ messageType: 'discover', last: 4, options: { 118: '203.0.113.0' } })
  t.equal(replyOf(await engine.handle(there)).yiaddr, ip('203.0.113.60'))
  const nowhere = clientRequest({ messageType: 'discover', last: 4, options: { 118: '10.1.2.0' } })
  t.equal((await engine.handle(nowhere)).reason, 'no-subnet')
})

t.test(
  'beside another server, a loader that was sent counts for the machine that asked for the address',
  async (t) => {
    const engine = new DhcpEngine(t, {
      dhcp: { mode: 'proxy', port: 67, proxyPort: 4011, proxyUefi: 'binl' },
    })
    await engine.put(machineOf(3, { loader: 'ipxe.pxe' }))
    const ipxe = { 77: hexOf('iPXE'), 93: '0000', 175: '130101180101' }
    const boots = async () => (await engine.handle(discover(3, ipxe))).reply?.packet.file
    t.equal(await boots(), 'tftp://192.0.2.1/ipxe.pxe')
    const request = {
      messageType: 'request',
      last: 3,
      options: { ...ipxe, 50: '192.0.2.77', 54: '192.0.2.9' },
    } as const
    t.equal((await engine.handle(clientRequest(request))).reason, 'left-to-address-server')
    const file = { what: 'loader', name: 'ipxe.pxe', bytes: 9, resends: 0, isWhole: true } as const
    const sentTo = (address: string) =>
      engine.store.decide(
        (view) => readFileSentSnapshot(view, ip(address)),
        (snapshot) => decideFileSent(snapshot, file),
      )
    t.equal((await sentTo('192.0.2.78')).reason, 'no-attempt', 'an address that nobody named')
    t.equal(await boots(), 'tftp://192.0.2.1/ipxe.pxe')
    t.equal((await sentTo('192.0.2.77')).reason, 'loader-sent')
    t.equal(await boots(), 'http://192.0.2.1:8080/boot/02-00-00-00-00-03.ipxe', 'the loader gets its script')
  },
)
