import t from 'tap'
import { fromHex, toHex } from '../../../src/net/bytes.ts'
import type { DhcpDecision } from '../../../src/policy/dhcp/dhcp-case.ts'
import { isDurable } from '../../../src/policy/effect.ts'
import {
  arrivalFrom,
  BROADCAST_ARRIVAL,
  clientRequest,
  DhcpWorld,
  hexOf,
  ip,
  LOCAL,
  leaseOf,
  machineOf,
  NOW_MS,
  replyOf,
  requestFrom,
  S,
  settingsOf,
  subnetOf,
  vectorRequest,
} from '../../support/dhcp-builders.ts'
import { vector } from '../../support/dhcp-vectors.ts'

const PXE = { 60: hexOf('PXEClient'), 93: '0007' }

t.test('off: silence for everything', async (t) => {
  const world = new DhcpWorld()
  world.settings = settingsOf({ mode: 'off' })
  for (const name of ['V1', 'V2', 'V11', 'V13']) t.equal(world.handle(vectorRequest(name)).reason, 'dhcp-off')
})

t.test('a client without an Ethernet address gets silence', async (t) => {
  const bytes = Uint8Array.from(vector('V8'))
  bytes[1] = 32 // InfiniBand
  bytes[2] = 0
  t.match(new DhcpWorld().handle(requestFrom(bytes)), { reply: undefined, reason: 'no-ethernet-address' })
})

t.test('a server’s message types from a client are ignored', async (t) => {
  for (const messageType of ['offer', 'ack', 'nak'] as const) {
    const decision = new DhcpWorld().handle(clientRequest({ messageType, last: 3 }))
    t.match(decision, { reply: undefined, reason: 'not-a-client-message' })
  }
})

t.test('an OFFER promises nothing on disk; an ACK does; a NAK does not', async (t) => {
  const durable = (request: Parameters<DhcpWorld['handle']>[0]) =>
    new DhcpWorld()
      .handle(request)
      .effects.filter(isDurable)
      .map((effect) => effect.kind)
  t.same(durable(vectorRequest('V1')), [])
  t.same(durable(vectorRequest('V2')), ['put-lease'])
  t.same(durable(vectorRequest('V9')), [])
})

t.test('unknown machines, `ignore`: silence in every state', async (t) => {
  const world = new DhcpWorld()
  world.machines = []
  for (const name of ['V1', 'V2', 'V3', 'V6', 'V9', 'V11', 'V13']) {
    const arrival = name === 'V11' ? arrivalFrom('192.0.2.51') : BROADCAST_ARRIVAL
    t.match(world.handle(vectorRequest(name, arrival)), { reply: undefined, reason: 'unknown-machine' }, name)
  }
  const pxe = arrivalFrom('192.0.2.51', { socket: 'pxe' })
  t.equal(world.handle(vectorRequest('V4', pxe)).reason, 'unknown-machine')
})

t.test('unknown machines, `discover`: a boot client becomes a machine with a pool address', async (t) => {
  const world = new DhcpWorld()
  world.machines = []
  world.settings = settingsOf({ unknownMachines: 'discover' })
  const first = world.handle(vectorRequest('V6'))
  t.match(first.reply?.packet, {
    yiaddr: '192.0.2.100',
    file: 'http://192.0.2.1:8080/boot/02-00-00-00-00-02.ipxe',
  })
  t.match(world.machines, [{ macs: ['02:00:00:00:00:02'], state: 'discovered' }])
  t.match(world.machines[0]?.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.not(world.machines[0]?.id, world.attempts[0]?.bootId)
  t.same(world.events, ['machine.discovered'])
  t.notOk(first.reply?.packet.options.has(12), 'a made-up name is nobody’s host name')
  world.handle(vectorRequest('V6'))
  t.equal(world.machines.length, 1, 'the same machine when it asks again')
})

t.test('unknown machines, `discover`: what does not boot is no machine of ours', async (t) => {
  const world = new DhcpWorld()
  world.settings = settingsOf({ unknownMachines: 'discover' })
  world.machines = []
  t.equal(world.handle(vectorRequest('V8')).reason, 'unknown-and-not-booting')
  world.extra = { newMachinesInLastMinute: 1000 }
  t.equal(world.handle(vectorRequest('V1')).reason, 'too-many-new-machines')
  world.extra = { poolCandidate: undefined }
  world.subnets = [subnetOf('192.0.2.0/24')]
  world.handle(vectorRequest('V1'))
  t.same(world.machines, [], 'an invented MAC fills no table once the addresses are gone')
})

t.test('a client on no served subnet gets silence', async (t) => {
  const world = new DhcpWorld()
  const relayed = clientRequest({ messageType: 'discover', last: 3, giaddr: '198.51.100.1' })
  t.equal(world.handle(relayed).reason, 'no-subnet')
  world.subnets = [subnetOf('10.0.0.0/24')]
  t.equal(world.handle(vectorRequest('V1')).reason, 'no-subnet')
})

t.test(
  'the subnet: 82.5, else 118, else giaddr, else ciaddr of a routed renewal, else the link',
  async (t) => {
    const linkSelection = (address: string) => `0504${address}`
    const yiaddr = (fields: Parameters<typeof clientRequest>[0], arrival = BROADCAST_ARRIVAL) => {
      const world = new DhcpWorld()
      world.machines[2] = machineOf(3)
      world.subnets = ['10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24', '192.0.2.0/24'].map((cidr) => {
        const prefix = cidr.slice(0, cidr.lastIndexOf('.'))
        return subnetOf(cidr, { pool: { first: ip(`${prefix}.100`), last: ip(`${prefix}.199`) } })
      })
      return world.handle(clientRequest(fields, arrival)).reply?.packet.yiaddr
    }
    const discover = { messageType: 'discover', last: 3 } as const
    const all = { 82: linkSelection('0a010000'), 118: '10.2.0.0' }
    t.equal(yiaddr({ ...discover, giaddr: '10.3.0.1', options: all }), '10.1.0.100')
    t.equal(yiaddr({ ...discover, giaddr: '10.3.0.1', options: { 118: '10.2.0.0' } }), '10.2.0.100')
    t.equal(yiaddr({ ...discover, giaddr: '10.3.0.1' }), '10.3.0.100')
    t.equal(yiaddr(discover), '192.0.2.100')
    t.equal(yiaddr({ ...discover, options: { 82: all[82] } }), '192.0.2.100', '82 without a relay is a claim')
    const elsewhere = { 82: linkSelection('0a090000') }
    t.equal(yiaddr({ ...discover, giaddr: '10.3.0.1', options: elsewhere }), undefined, 'an unserved choice')
    const renewal = { messageType: 'request', last: 3, ciaddr: '10.2.0.150' } as const
    t.equal(yiaddr(renewal, arrivalFrom('10.2.0.150')), '10.2.0.150')
  },
)

t.test('a relay that stands in for us (82.11) is named in 54, and accepted there', async (t) => {
  const world = new DhcpWorld()
  const options = { 54: '203.0.113.1', 50: '203.0.113.60', 82: '0504cb0071000b04cb007101' }
  const request = clientRequest({ messageType: 'request', last: 4, giaddr: '198.51.100.2', options })
  const { reply, reason } = world.handle(request)
  t.equal(reason, 'lease-granted')
  t.equal(toHex(reply!.packet.options.get(54)!), 'cb007101')
  const { 82: _, ...direct } = options
  t.equal(
    new DhcpWorld().handle(clientRequest({ messageType: 'request', last: 4, options: direct })).reason,
    'another-server-chosen',
    'without the relay it is another server',
  )
})

t.test('a relayed NAK asks the relay to broadcast (§4.3.2)', async (t) => {
  const options = { 50: '198.51.100.77' }
  const { reply } = new DhcpWorld().handle(
    clientRequest({ messageType: 'request', last: 3, giaddr: '192.0.2.254', options }),
  )
  t.match(reply, { address: '192.0.2.254', towards: 'relay', packet: { messageType: 'nak', flags: 0x8000 } })
})

t.test('a NAK to a client behind a router goes to its own address', async (t) => {
  const request = clientRequest(
    { messageType: 'request', last: 3, ciaddr: '203.0.113.99' },
    arrivalFrom('203.0.113.99'),
  )
  const { reply } = new DhcpWorld().handle(request)
  t.match(reply, { address: '203.0.113.99', port: 68, packet: { messageType: 'nak', ciaddr: '0.0.0.0' } })
})

t.test(
  'a NAK to a client that broadcasts on our link is broadcast, wherever its address is from (§4.3.2)',
  async (t) => {
    const request = clientRequest({ messageType: 'request', last: 3, ciaddr: '203.0.113.99' })
    const { reply } = new DhcpWorld().handle(request)
    t.match(reply, { address: '255.255.255.255', port: 68, packet: { messageType: 'nak' } })
  },
)

t.test('INFORM: answered within the subnet, to the source where ciaddr is missing', async (t) => {
  const inform = (ciaddr: string, arrival = arrivalFrom('192.0.2.200')) =>
    new DhcpWorld().handle(clientRequest({ messageType: 'inform', last: 3, ciaddr }, arrival))
  t.match(inform('192.0.2.200').reply, { address: '192.0.2.200', port: 68 })
  t.match(inform('0.0.0.0').reply, { address: '192.0.2.200', port: 68 })
  t.equal(inform('0.0.0.0', BROADCAST_ARRIVAL).reason, 'no-reply-address')
  t.equal(inform('198.51.100.9').reason, 'inform-from-elsewhere', 'nobody is written to by proxy')
  const relayed = clientRequest({
    messageType: 'inform',
    last: 3,
    ciaddr: '192.0.2.200',
    giaddr: '192.0.2.254',
  })
  t.equal(new DhcpWorld().handle(relayed).reply?.address, '192.0.2.200', 'past the relay')
})

t.test('boot attempts: firmware that repeats itself continues one, a new boot begins one', async (t) => {
  const world = new DhcpWorld()
  const discover = clientRequest({ messageType: 'discover', last: 3, options: PXE })
  const retries = () =>
    world.handle(discover).effects.flatMap((one) => (one.kind === 'reach-stage' ? [one.retries] : []))
  t.same(retries(), [0])
  t.match(world.attempts, [
    { machineId: 'machine-3', stage: 'offered', status: 'tentative', architecture: 7 },
  ])
  t.same(retries(), [1])
  t.equal(world.attempts.length, 1)
  world.attempts[0] = { ...world.attempts[0]!, stage: 'loader-sent' }
  t.same(retries(), [0], 'its iPXE')
  t.equal(world.attempts.length, 1)
  world.attempts[0] = { ...world.attempts[0]!, stage: 'kernel-sent' }
  t.same(retries(), [0])
  t.equal(world.attempts.length, 2)
  world.handle(clientRequest({ messageType: 'discover', last: 3 }))
  t.equal(world.attempts.length, 2, 'an operating system’s DHCP begins none')
})

t.test('OFFER and ACK carry identical boot data and options', async (t) => {
  for (const options of [
    PXE,
    { ...PXE, 77: hexOf('iPXE'), 175: '130101240101' },
    { 93: '0010', 60: hexOf('HTTPClient') },
  ]) {
    const world = new DhcpWorld()
    const offer = world.handle(clientRequest({ messageType: 'discover', last: 3, options })).reply!
    const request = { ...options, 54: S, 50: offer.packet.yiaddr }
    const ack = world.handle(clientRequest({ messageType: 'request', last: 3, options: request })).reply!
    const differing = [...offer.bytes.keys()].filter((at) => offer.bytes[at] !== ack.bytes[at])
    t.same(differing, [242])
  }
})

t.test('a reply never outgrows what the client takes (option 57)', async (t) => {
  const world = new DhcpWorld()
  world.subnets = [
    { ...LOCAL, domain: 'd'.repeat(200), ntp: Array.from({ length: 20 }, (_, n) => ip(`192.0.2.${n + 1}`)) },
  ]
  const options = { ...PXE, 55: '0103060c0f1c2a4243', 61: '01020000000003' }
  const small = world.handle(clientRequest({ messageType: 'discover', last: 3, options })).reply!
  t.ok(small.bytes.length <= 548)
  const roomy = { ...options, 57: '05c0' }
  const large = world.handle(clientRequest({ messageType: 'discover', last: 3, options: roomy })).reply!
  t.ok(large.bytes.length > 548 && large.bytes.length <= 1444)
})

t.test('no reply holds a text that the machine wrote', async (t) => {
  const evil = hexOf('\n#!ipxe evil')
  const options = { 12: evil, 60: evil, 77: evil, 43: evil, 66: evil, 67: evil, 55: '0c2b3c4243', 93: '0007' }
  const { reply } = new DhcpWorld().handle(clientRequest({ messageType: 'discover', last: 3, options }))
  t.notMatch(toHex(reply!.bytes), hexOf('evil'))
})

t.test(
  '4011: another server’s request, a signed boot item and other message types get silence',
  async (t) => {
    const pxe = arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 4011 })
    const ask = (options: Record<number, string>, messageType: 'request' | 'discover' = 'request') =>
      new DhcpWorld().handle(clientRequest({ messageType, last: 3, options: { ...PXE, ...options } }, pxe))
    t.equal(ask({}).reason, 'pxe-answered')
    t.equal(ask({ 54: S }).reason, 'pxe-answered')
    t.equal(ask({ 54: '192.0.2.2' }).reason, 'another-server-chosen')
    t.equal(ask({ 43: '470400018000ff' }).reason, 'signed-boot-not-served')
    t.equal(ask({}, 'discover').reason, 'not-a-pxe-request')
    t.equal(ask({ 93: '0002' }).reason, 'no-loader-for-architecture', 'nothing to name, nothing said')
  },
)

t.test(
  'proxy mode: option 54 is this server, though a relay stands in for the one that leases',
  async (t) => {
    const world = new DhcpWorld()
    world.settings = settingsOf({ mode: 'proxy' })
    const serverIdIn = (decision: DhcpDecision) => toHex(replyOf(decision).options.get(54)!)
    t.equal(serverIdIn(world.handle(vectorRequest('V10'))), 'c0000201')
    world.leases.push(leaseOf(2, '192.0.2.51', { serverId: ip('192.0.2.254') }))
    const pxe = arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 4011 })
    t.equal(serverIdIn(world.handle(vectorRequest('V4', pxe))), 'c0000201', 'the same as in the offer')
  },
)

t.test(
  'proxy mode: HTTP Boot gets its URL, a relay its own reply, unknown machines by the setting',
  async (t) => {
    const world = new DhcpWorld()
    world.settings = settingsOf({ mode: 'proxy', unknownMachines: 'discover' })
    const http = world.handle(vectorRequest('V5')).reply!
    t.equal(http.packet.file, 'http://192.0.2.1:8080/assets/snponly.efi')
    t.equal(toHex(http.packet.options.get(60)!), hexOf('HTTPClient'))
    t.notOk(http.packet.options.has(43))
    t.match(world.handle(vectorRequest('V10')).reply, { address: '198.51.100.2', towards: 'relay' })
    world.machines = []
    world.subnets = []
    t.equal(world.handle(vectorRequest('V1')).reason, 'proxy-offered', 'no subnet of ours is needed')
    t.match(world.machines, [{ state: 'discovered' }])
    t.same(world.leases, [])
    t.same(world.offers, [])
  },
)

t.test('a lease that ended while the server was down stays its holder’s for one lease period', async (t) => {
  const at = (nowMs: number) => {
    const world = new DhcpWorld()
    world.nowMs = nowMs
    world.leases.push(leaseOf(1, '192.0.2.150', { expiresAtMs: NOW_MS - 5000 }))
    world.extra = { downtime: { fromMs: NOW_MS - 10_000, untilMs: NOW_MS - 1000 } }
    const options = { 54: S, 50: '192.0.2.150' }
    return world.handle(clientRequest({ messageType: 'request', last: 3, options })).reason
  }
  t.equal(at(NOW_MS), 'address-leased')
  t.equal(at(NOW_MS - 1000 + 3_600_000), 'lease-granted')
})

t.test('option 97 is echoed only when a reply may carry it', async (t) => {
  const echoed = (value: string) => {
    const request = clientRequest({ messageType: 'discover', last: 3, options: { ...PXE, 97: value } })
    return new DhcpWorld().handle(request).reply?.packet.options.get(97)
  }
  const good = `00${'11'.repeat(16)}`
  t.same(echoed(good), fromHex(good))
  t.equal(echoed(`01${'11'.repeat(16)}`), undefined)
  t.equal(echoed('00'), undefined)
})
