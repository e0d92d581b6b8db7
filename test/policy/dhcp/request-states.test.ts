import t from 'tap'
import type { Arrival } from '../../../src/policy/dhcp/question.ts'
import {
  arrivalFrom,
  BROADCAST_ARRIVAL,
  clientRequest,
  DhcpWorld,
  ip,
  leaseOf,
  mac,
  machineOf,
  NOW_MS,
  offerOf,
  S,
} from '../../support/dhcp-builders.ts'

interface Row {
  readonly name: string
  readonly world?: (world: DhcpWorld) => void
  readonly options?: Readonly<Record<number, string>>
  readonly ciaddr?: string
  readonly arrival?: Arrival
  /** Type of the reply, or silence; then the reason. */
  readonly want: readonly ['ack' | 'nak' | 'silence', string]
  /** The lease that the client has afterwards; undefined: none running. */
  readonly lease?: string
}

const RENEWAL = arrivalFrom('192.0.2.120')
const selecting = (address: string) => ({ 54: S, 50: address })
const reserved = (address: string) => (world: DhcpWorld) => {
  world.machines[2] = machineOf(3, { reservedAddress: ip(address) })
}

/** All rows are the machine …:03, known and without a reservation unless the row says so. */
const ROWS: readonly Row[] = [
  {
    name: 'SELECTING our offer',
    world: (world) => world.offers.push(offerOf(3, '192.0.2.120')),
    options: selecting('192.0.2.120'),
    want: ['ack', 'lease-granted'],
    lease: '192.0.2.120',
  },
  {
    name: 'SELECTING an offer that a restart made us forget',
    options: selecting('192.0.2.120'),
    want: ['ack', 'lease-granted'],
    lease: '192.0.2.120',
  },
  {
    name: 'SELECTING an address that is offered to another',
    world: (world) => world.offers.push(offerOf(1, '192.0.2.120')),
    options: selecting('192.0.2.120'),
    want: ['nak', 'address-offered'],
  },
  {
    name: 'SELECTING an address that was offered to another two minutes ago',
    world: (world) => world.offers.push(offerOf(1, '192.0.2.120', { expiresAtMs: NOW_MS })),
    options: selecting('192.0.2.120'),
    want: ['ack', 'lease-granted'],
    lease: '192.0.2.120',
  },
  {
    name: 'SELECTING an address leased to another',
    world: (world) => world.leases.push(leaseOf(1, '192.0.2.120')),
    options: selecting('192.0.2.120'),
    want: ['nak', 'address-leased'],
  },
  {
    name: 'SELECTING an address whose lease ran out',
    world: (world) => world.leases.push(leaseOf(1, '192.0.2.120', { expiresAtMs: NOW_MS - 1 })),
    options: selecting('192.0.2.120'),
    want: ['ack', 'lease-granted'],
    lease: '192.0.2.120',
  },
  {
    name: 'SELECTING an address whose lease ran out while the server was down',
    world: (world) => {
      world.leases.push(leaseOf(1, '192.0.2.120', { expiresAtMs: NOW_MS - 5000 }))
      world.extra = { downtime: { fromMs: NOW_MS - 10_000, untilMs: NOW_MS - 1000 } }
    },
    options: selecting('192.0.2.120'),
    want: ['nak', 'address-leased'],
  },
  {
    name: 'SELECTING an address of another machine’s reservation',
    options: selecting('192.0.2.50'),
    want: ['nak', 'address-reserved'],
  },
  {
    name: 'SELECTING an address in quarantine',
    world: (world) => {
      const until = { mac: mac(3), untilMs: NOW_MS + 1 }
      world.quarantines.push({ subnet: '192.0.2.0/24', address: ip('192.0.2.120'), ...until })
    },
    options: selecting('192.0.2.120'),
    want: ['nak', 'address-quarantined'],
  },
  {
    name: 'SELECTING an address outside the pool',
    options: selecting('192.0.2.20'),
    want: ['nak', 'address-outside-pool'],
  },
  {
    name: 'SELECTING the server’s own address',
    options: selecting(S),
    want: ['nak', 'address-not-for-clients'],
  },
  {
    name: 'SELECTING the router',
    options: selecting('192.0.2.254'),
    want: ['nak', 'address-not-for-clients'],
  },
  {
    name: 'SELECTING the broadcast address',
    options: selecting('192.0.2.255'),
    want: ['nak', 'address-not-for-clients'],
  },
  {
    name: 'SELECTING with a ciaddr left over (RFC 2131 table 5 wants zero)',
    options: selecting('192.0.2.120'),
    ciaddr: '198.51.100.7',
    want: ['ack', 'lease-granted'],
    lease: '192.0.2.120',
  },
  {
    name: 'SELECTING another server',
    world: (world) => world.offers.push(offerOf(3, '192.0.2.120')),
    options: { 54: '192.0.2.2', 50: '192.0.2.120' },
    want: ['silence', 'another-server-chosen'],
  },
  {
    name: 'SELECTING although a new reservation says otherwise: the offer is kept',
    world: (world) => {
      reserved('192.0.2.60')(world)
      world.offers.push(offerOf(3, '192.0.2.120'))
    },
    options: selecting('192.0.2.120'),
    want: ['ack', 'lease-granted'],
    lease: '192.0.2.120',
  },
  {
    name: 'INIT-REBOOT on another network',
    options: { 50: '198.51.100.77' },
    want: ['nak', 'wrong-network'],
  },
  {
    name: 'INIT-REBOOT with its lease',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120')),
    options: { 50: '192.0.2.120' },
    want: ['ack', 'lease-reclaimed'],
    lease: '192.0.2.120',
  },
  {
    name: 'INIT-REBOOT with a lease that ran out and is nobody else’s',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120', { expiresAtMs: NOW_MS - 1 })),
    options: { 50: '192.0.2.120' },
    want: ['ack', 'lease-reclaimed'],
    lease: '192.0.2.120',
  },
  {
    name: 'INIT-REBOOT with another address than its lease',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120')),
    options: { 50: '192.0.2.121' },
    want: ['nak', 'other-lease'],
    lease: '192.0.2.120',
  },
  {
    name: 'INIT-REBOOT without a record, the address free in the pool',
    options: { 50: '192.0.2.120' },
    want: ['ack', 'lease-reclaimed'],
    lease: '192.0.2.120',
  },
  {
    name: 'INIT-REBOOT without a record, the address taken',
    world: (world) => world.leases.push(leaseOf(1, '192.0.2.120')),
    options: { 50: '192.0.2.120' },
    want: ['nak', 'address-leased'],
  },
  {
    name: 'INIT-REBOOT of a MAC that we do not know (§4.3.2: MUST remain silent)',
    world: (world) => {
      world.machines = []
    },
    options: { 50: '192.0.2.120' },
    want: ['silence', 'unknown-machine'],
  },
  {
    name: 'INIT-REBOOT with its new reservation',
    world: reserved('192.0.2.60'),
    options: { 50: '192.0.2.60' },
    want: ['ack', 'lease-reclaimed'],
    lease: '192.0.2.60',
  },
  {
    name: 'INIT-REBOOT although a reservation now says another address',
    world: (world) => {
      reserved('192.0.2.60')(world)
      world.leases.push(leaseOf(3, '192.0.2.120'))
    },
    options: { 50: '192.0.2.120' },
    want: ['nak', 'reservation-changed'],
    lease: '192.0.2.120',
  },
  {
    name: 'INIT-REBOOT, the reserved address held by another: a NAK would go round for ever',
    world: (world) => {
      reserved('192.0.2.60')(world)
      world.leases.push(leaseOf(3, '192.0.2.120'), leaseOf(1, '192.0.2.60'))
    },
    options: { 50: '192.0.2.120' },
    want: ['ack', 'lease-reclaimed'],
    lease: '192.0.2.120',
  },
  {
    name: 'RENEWING its lease',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120')),
    ciaddr: '192.0.2.120',
    arrival: RENEWAL,
    want: ['ack', 'lease-renewed'],
    lease: '192.0.2.120',
  },
  {
    name: 'RENEWING a lease that we have no record of, the address free',
    ciaddr: '192.0.2.120',
    arrival: RENEWAL,
    want: ['ack', 'lease-recreated'],
    lease: '192.0.2.120',
  },
  {
    name: 'RENEWING a lease that it gave back',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120', { state: 'released' })),
    ciaddr: '192.0.2.120',
    arrival: RENEWAL,
    want: ['ack', 'lease-recreated'],
    lease: '192.0.2.120',
  },
  {
    name: 'RENEWING an address that is another’s by now',
    world: (world) => world.leases.push(leaseOf(1, '192.0.2.120')),
    ciaddr: '192.0.2.120',
    arrival: RENEWAL,
    want: ['nak', 'address-leased'],
  },
  {
    name: 'RENEWING an address that the operator took out of the pool: a running lease goes on',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.20')),
    ciaddr: '192.0.2.20',
    arrival: arrivalFrom('192.0.2.20'),
    want: ['ack', 'lease-renewed'],
    lease: '192.0.2.20',
  },
  {
    name: 'RENEWING of a MAC that we do not know',
    world: (world) => {
      world.machines = []
    },
    ciaddr: '192.0.2.120',
    arrival: RENEWAL,
    want: ['silence', 'unknown-machine'],
  },
  {
    name: 'REBINDING its lease',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120')),
    ciaddr: '192.0.2.120',
    want: ['ack', 'lease-renewed'],
    lease: '192.0.2.120',
  },
  {
    name: 'REBINDING an address of another network, here on our link',
    ciaddr: '203.0.113.9',
    want: ['nak', 'wrong-network'],
  },
  { name: 'a REQUEST that names no address', want: ['silence', 'names-no-address'] },
]

for (const row of ROWS) {
  t.test(`§4.3.2: ${row.name}`, async (t) => {
    const world = new DhcpWorld()
    row.world?.(world)
    const request = clientRequest(
      {
        messageType: 'request',
        last: 3,
        ...(row.options && { options: row.options }),
        ...(row.ciaddr && { ciaddr: row.ciaddr }),
      },
      row.arrival ?? BROADCAST_ARRIVAL,
    )
    const { reply, reason } = world.handle(request)
    t.same([reply?.packet.messageType ?? 'silence', reason], row.want)
    const running = world.leases.find(
      (one) => one.mac === mac(3) && one.state === 'active' && one.expiresAtMs > NOW_MS,
    )
    t.equal(running?.address, row.lease)
    if (reply?.packet.messageType === 'ack') {
      t.equal(reply.packet.yiaddr, row.lease)
      t.equal(running?.expiresAtMs, NOW_MS + 3_600_000)
      t.notOk(
        world.offers.some((one) => one.mac === mac(3)),
        'the offer is spent',
      )
    }
  })
}

t.test('§3.1 step 4: a client that chose another server frees our offer', async (t) => {
  const world = new DhcpWorld()
  world.offers.push(offerOf(3, '192.0.2.120'))
  world.handle(
    clientRequest({ messageType: 'request', last: 3, options: { 54: '192.0.2.2', 50: '192.0.2.7' } }),
  )
  t.same(world.offers, [])
})

t.test('a renewal keeps the day of the grant, and is no news; a new lease is', async (t) => {
  const world = new DhcpWorld()
  world.leases.push(leaseOf(3, '192.0.2.120', { grantedAtMs: 5 }))
  world.handle(clientRequest({ messageType: 'request', last: 3, ciaddr: '192.0.2.120' }, RENEWAL))
  t.equal(world.leases[0]?.grantedAtMs, 5)
  t.same(world.events, [])
  world.handle(clientRequest({ messageType: 'request', last: 1, options: selecting('192.0.2.50') }))
  t.same(world.events, ['lease.granted'])
})

t.test('the client id is kept with the lease, whatever it is', async (t) => {
  const world = new DhcpWorld()
  world.handle(
    clientRequest({
      messageType: 'request',
      last: 3,
      options: { ...selecting('192.0.2.120'), 61: '01aabb' },
    }),
  )
  t.equal(world.leases[0]?.clientId, '01aabb')
})

t.test('option 51 may shorten a lease, down to a floor: 10 minutes to boot, else 2', async (t) => {
  const seconds = (options: Record<number, string>) => {
    const world = new DhcpWorld()
    world.handle(
      clientRequest({
        messageType: 'request',
        last: 3,
        options: { ...selecting('192.0.2.120'), ...options },
      }),
    )
    return (world.leases[0]!.expiresAtMs - NOW_MS) / 1000
  }
  const pxe = { 93: '0007', 60: '505845436c69656e74' }
  t.equal(seconds({}), 3600)
  t.equal(seconds({ 51: '00000708' }), 1800)
  t.equal(seconds({ 51: '00000001' }), 120)
  t.equal(seconds({ 51: '00000001', ...pxe }), 600)
  t.equal(seconds({ 51: 'ffffffff' }), 3600, 'never longer')
})

t.test('§4.3.3, §4.3.4: DECLINE and RELEASE act on the sender’s own address only', async (t) => {
  const world = new DhcpWorld()
  world.leases.push(leaseOf(3, '192.0.2.120'))
  const release = (last: number, ciaddr: string, server: string) =>
    world.handle(clientRequest({ messageType: 'release', last, ciaddr, options: { 54: server } }, RENEWAL))
  t.equal(release(1, '192.0.2.120', S).reason, 'released-address-not-held')
  t.equal(release(3, '192.0.2.120', '192.0.2.2').reason, 'another-server-chosen')
  t.equal(world.leases[0]?.state, 'active')
  t.match(release(3, '192.0.2.120', S), { reply: undefined, reason: 'lease-released' })
  t.match(world.leases, [{ state: 'released', address: '192.0.2.120' }], 'the row stays')
  t.equal(release(3, '192.0.2.120', S).reason, 'released-address-not-held', 'twice')

  const decline = (address: string) =>
    world.handle(clientRequest({ messageType: 'decline', last: 3, options: { 54: S, 50: address } }))
  for (const [index, address] of ['192.0.2.131', '192.0.2.132', '192.0.2.133'].entries()) {
    world.offers = [offerOf(3, address)]
    t.equal(decline(address).reason, 'address-declined')
    t.equal(world.quarantines.length, index + 1)
  }
  world.offers = [offerOf(3, '192.0.2.134')]
  t.equal(decline('192.0.2.134').reason, 'too-many-declines', 'one host cannot empty the pool')
  t.equal(world.quarantines.length, 3)
})

t.test('a declined reservation is put aside, told, and replaced from the pool', async (t) => {
  const world = new DhcpWorld()
  world.leases.push(leaseOf(1, '192.0.2.50'))
  const declined = clientRequest({ messageType: 'decline', last: 1, options: { 54: S, 50: '192.0.2.50' } })
  t.equal(world.handle(declined).reason, 'reservation-declined')
  const offer = world.handle(clientRequest({ messageType: 'discover', last: 1 }))
  t.equal(offer.reply?.packet.yiaddr, '192.0.2.100')
  t.same(world.events, ['lease.declined', 'reservation.conflict'])
})
