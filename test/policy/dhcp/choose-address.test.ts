import t from 'tap'
import { parseIpv4Range } from '../../../src/net/ipv4.ts'
import { needsPoolCandidate } from '../../../src/policy/dhcp/choose-address.ts'
import {
  BROADCAST_ARRIVAL,
  clientRequest,
  DhcpWorld,
  ip,
  LOCAL,
  leaseOf,
  mac,
  machineOf,
  NOW_MS,
  offerOf,
  settingsOf,
} from '../../support/dhcp-builders.ts'

interface Row {
  readonly name: string
  readonly world: (world: DhcpWorld) => void
  readonly requested?: string
  readonly want: readonly [address: string | undefined, reason: string]
  readonly events?: readonly string[]
}

const withReservation = (address: string) => (world: DhcpWorld) => {
  world.machines[2] = machineOf(3, { reservedAddress: ip(address) })
}

const ROWS: readonly Row[] = [
  { name: 'nothing known: the pool', world: () => {}, want: ['192.0.2.100', 'offered-from-pool'] },
  {
    name: 'the reservation before everything else',
    world: (world) => {
      withReservation('192.0.2.60')(world)
      world.leases.push(leaseOf(3, '192.0.2.120'))
      world.offers.push(offerOf(3, '192.0.2.121'))
    },
    requested: '192.0.2.122',
    want: ['192.0.2.60', 'offered-reservation'],
  },
  {
    name: 'an offer that still stands, so that retries see the same address',
    world: (world) => world.offers.push(offerOf(3, '192.0.2.121')),
    requested: '192.0.2.122',
    want: ['192.0.2.121', 'offered-again'],
  },
  {
    name: 'an offer that has run out counts no more',
    world: (world) => world.offers.push(offerOf(3, '192.0.2.121', { expiresAtMs: NOW_MS })),
    requested: '192.0.2.122',
    want: ['192.0.2.122', 'offered-requested'],
  },
  {
    name: 'the current lease before the requested address',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120')),
    requested: '192.0.2.122',
    want: ['192.0.2.120', 'offered-previous-lease'],
  },
  {
    name: 'the previous lease while it is nobody else’s',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.120', { expiresAtMs: 1, state: 'released' })),
    want: ['192.0.2.120', 'offered-previous-lease'],
  },
  {
    name: 'not the previous lease when another has it now',
    world: (world) =>
      world.leases.push(leaseOf(3, '192.0.2.120', { expiresAtMs: 1 }), leaseOf(1, '192.0.2.120')),
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'not the previous lease when it is reserved for another now',
    world: (world) => {
      world.machines[0] = machineOf(1, { reservedAddress: ip('192.0.2.120') })
      world.leases.push(leaseOf(3, '192.0.2.120'))
    },
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'not the previous lease when it left the pool',
    world: (world) => world.leases.push(leaseOf(3, '192.0.2.20', { expiresAtMs: 1 })),
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'the requested address when it is free',
    world: () => {},
    requested: '192.0.2.150',
    want: ['192.0.2.150', 'offered-requested'],
  },
  {
    name: 'not a requested address that is offered to another',
    world: (world) => world.offers.push(offerOf(1, '192.0.2.150')),
    requested: '192.0.2.150',
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'not a requested address outside the pool',
    world: () => {},
    requested: '192.0.2.20',
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'a reservation that is leased to another machine: the pool, and an event',
    world: (world) => {
      withReservation('192.0.2.60')(world)
      world.leases.push(leaseOf(1, '192.0.2.60'))
    },
    want: ['192.0.2.100', 'offered-from-pool'],
    events: ['reservation.conflict'],
  },
  {
    name: 'a reservation that another port of the same machine has: the pool, and no event',
    world: (world) => {
      world.machines[2] = machineOf(3, { macs: [mac(3), mac(9)], reservedAddress: ip('192.0.2.60') })
      world.leases.push(leaseOf(9, '192.0.2.60'))
    },
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'a reservation that is the server’s own address is never given',
    world: withReservation('192.0.2.1'),
    want: ['192.0.2.100', 'offered-from-pool'],
    events: ['reservation.conflict'],
  },
  {
    name: 'a reservation in another subnet does not count here',
    world: withReservation('203.0.113.9'),
    want: ['192.0.2.100', 'offered-from-pool'],
  },
  {
    name: 'a full pool: silence and an event',
    world: (world) => {
      world.subnets = [{ ...LOCAL, pool: parseIpv4Range('192.0.2.100-192.0.2.100')! }]
      world.leases.push(leaseOf(1, '192.0.2.100'))
    },
    want: [undefined, 'pool-exhausted'],
    events: ['pool.exhausted'],
  },
  {
    name: 'a full pool that was told of a moment ago: silence alone',
    world: (world) => {
      world.subnets = [{ ...LOCAL, pool: parseIpv4Range('192.0.2.100-192.0.2.100')! }]
      world.leases.push(leaseOf(1, '192.0.2.100'))
      world.extra = { told: new Map([['pool.exhausted 192.0.2.0/24', NOW_MS - 59_000]]) }
    },
    want: [undefined, 'pool-exhausted'],
  },
  {
    name: 'no pool and no reservation',
    world: (world) => {
      const { pool: _, ...without } = LOCAL
      world.subnets = [without]
    },
    want: [undefined, 'no-reservation'],
    events: ['pool.exhausted'],
  },
]

for (const row of ROWS) {
  t.test(`DISCOVER: ${row.name}`, async (t) => {
    const world = new DhcpWorld()
    row.world(world)
    const options = row.requested === undefined ? {} : { 50: row.requested }
    const { reply, reason } = world.handle(clientRequest({ messageType: 'discover', last: 3, options }))
    t.same([reply?.packet.yiaddr, reason], row.want)
    t.same(world.events, row.events ?? [])
    const offer = world.offers.find((one) => one.mac === mac(3))
    t.equal(offer?.expiresAtMs, reply === undefined ? undefined : NOW_MS + 120_000)
    t.ok(!world.leases.some((one) => one.mac === mac(3) && one.grantedAtMs === NOW_MS), 'no lease yet')
  })
}

t.test('two hundred machines at once get two hundred addresses', async (t) => {
  const world = new DhcpWorld()
  world.subnets = [
    {
      ...LOCAL,
      cidr: { network: ip('10.0.0.0'), prefixBits: 16 },
      pool: parseIpv4Range('10.0.1.0-10.0.9.255')!,
    },
  ]
  world.settings = settingsOf({ serverAddress: ip('10.0.0.1') })
  world.machines = Array.from({ length: 200 }, (_, n) => machineOf(n))
  const offered = world.machines.map((_, n) =>
    world.handle(clientRequest({ messageType: 'discover', last: n })),
  )
  const addresses = new Set(offered.map((one) => one.reply?.packet.yiaddr))
  t.equal(addresses.size, 200)
})

t.test('the pool is searched only where its answer can count', async (t) => {
  const discover = clientRequest({ messageType: 'discover', last: 3 })
  const needs = (request = discover, change: (world: DhcpWorld) => void = () => {}) => {
    const world = new DhcpWorld()
    change(world)
    return needsPoolCandidate(world.read(request), request, mac(3))
  }
  t.equal(needs(), true)
  t.equal(needs(clientRequest({ messageType: 'request', last: 3 })), false, 'a REQUEST')
  t.equal(needs(clientRequest({ messageType: 'discover', last: 3, options: { 50: '192.0.2.150' } })), false)
  t.equal(
    needs(discover, (world) => world.leases.push(leaseOf(3, '192.0.2.120'))),
    false,
    'a lease',
  )
  t.equal(
    needs(discover, (world) => {
      world.machines = []
    }),
    false,
    'an unknown machine',
  )
  t.equal(
    needs(discover, (world) => {
      world.settings = settingsOf({ mode: 'proxy' })
    }),
    false,
    'proxy mode',
  )
  const pxe = clientRequest({ messageType: 'discover', last: 3 }, { ...BROADCAST_ARRIVAL, socket: 'pxe' })
  t.equal(needs(pxe), false, 'port 4011')
})

t.test('a snapshot that lacks facts about an address is a bug, not a free address', async (t) => {
  const world = new DhcpWorld()
  world.leases.push(leaseOf(3, '192.0.2.120'))
  world.extra = { addresses: [] }
  t.throws(
    () => world.decide(clientRequest({ messageType: 'discover', last: 3 })),
    /no facts about 192\.0\.2\.120/,
  )
})
