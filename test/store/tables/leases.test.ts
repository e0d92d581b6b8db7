import t from 'tap'
import { type Ipv4, ipv4FromNumber, ipv4ToNumber, parseIpv4Range } from '../../../src/net/ipv4.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { conflictOf } from '../../../src/store/conflict.ts'
import type { PoolWalk } from '../../../src/store/tables/leases.ts'
import type { Quarantine } from '../../../src/store/tables/quarantines.ts'
import { aLease, aMachine, ip, mac, NOW } from '../../support/builders.ts'
import { openTables } from '../../support/store-world.ts'

const SUBNET = '10.77.0.0/24'
const NOBODY = new Set<Ipv4>()
const HOUR = 3_600_000

const QUARANTINE: Quarantine = {
  subnet: SUBNET,
  address: ip('10.77.0.100'),
  mac: mac('02:00:00:00:00:01'),
  untilMs: NOW + 1,
  why: 'declined',
}

/** The usual walk through a pool. */
function walk(changes: Partial<PoolWalk> = {}): PoolWalk {
  const nowMs = changes.nowMs ?? NOW
  return {
    nowMs,
    avoid: NOBODY,
    isReserved: () => false,
    isHeld: (lease) => lease.expiresAtMs > nowMs,
    ...changes,
  }
}

function range(text: string) {
  return parseIpv4Range(text)!
}

function client(n: number): Mac {
  const hex = n.toString(16).padStart(6, '0')
  return mac(`02:00:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`)
}

t.test('an address has one lease', async (t) => {
  t.test('another client’s lease in force is not overwritten: Conflict', async (t) => {
    const { leases } = openTables(t).tables
    leases.put(aLease({ mac: client(1) }))
    try {
      leases.put(aLease({ mac: client(2), grantedAtMs: NOW }))
      t.fail('two machines have one address')
    } catch (error) {
      t.match(conflictOf(error), { code: 'conflict', field: 'address_no' })
    }
    t.equal(leases.atAddress(ip('10.77.0.11'))?.mac, client(1))
  })

  t.test('one that ended, or was released, makes room', async (t) => {
    const { leases } = openTables(t).tables
    leases.put(aLease({ mac: client(1), expiresAtMs: NOW - 1 }))
    leases.put(aLease({ mac: client(2), grantedAtMs: NOW, expiresAtMs: NOW + HOUR }))
    t.equal(leases.byMac(SUBNET, client(1)), undefined, 'its claim to the old address is over')
    leases.release(SUBNET, client(2), NOW + 1)
    leases.put(aLease({ mac: client(3), grantedAtMs: NOW + 2 }))
    t.equal(leases.activeAt(ip('10.77.0.11'), NOW + 2)?.mac, client(3))
  })

  t.test('a client keeps its address when its subnet got another name', async (t) => {
    const { leases } = openTables(t).tables
    leases.put(aLease({ subnet: '10.77.0.0/24' }))
    leases.put(aLease({ subnet: '10.77.0.0/23' }))
    t.equal(leases.list('', '', 10).length, 1)
  })

  t.test('a client that moves leaves its old address to others', async (t) => {
    const { leases } = openTables(t).tables
    const pool = range('10.77.0.100-10.77.0.100')
    leases.put(aLease({ mac: client(1), address: ip('10.77.0.100') }))
    t.equal(leases.poolCandidate(SUBNET, pool, client(2), walk()), undefined)
    leases.put(aLease({ mac: client(1), address: ip('10.77.0.101') }))
    t.equal(leases.poolCandidate(SUBNET, pool, client(2), walk()), '10.77.0.100')
  })
})

t.test('a released lease is kept, so that its client gets its address again', async (t) => {
  const { leases } = openTables(t).tables
  leases.put(aLease())
  leases.release(SUBNET, aLease().mac, NOW)
  t.match(leases.byMac(SUBNET, aLease().mac), { state: 'released', address: '10.77.0.11', expiresAtMs: NOW })
  t.equal(leases.activeAt(ip('10.77.0.11'), NOW), undefined)
})

t.test('a candidate of the pool', async (t) => {
  const pool = range('10.77.0.100-10.77.0.109')

  t.test('is one that was never leased, as long as there is one', async (t) => {
    const { leases } = openTables(t).tables
    for (let n = 0; n < 9; n += 1) {
      leases.put(
        aLease({ mac: client(n), address: ipv4FromNumber(ipv4ToNumber(pool.first) + n), expiresAtMs: n }),
      )
    }
    t.equal(leases.poolCandidate(SUBNET, pool, client(77), walk()), '10.77.0.109')
  })

  t.test('is otherwise the one whose lease ended longest ago', async (t) => {
    const { leases } = openTables(t).tables
    for (let n = 0; n < 10; n += 1) {
      const address = ipv4FromNumber(ipv4ToNumber(pool.first) + n)
      leases.put(aLease({ mac: client(n), address, expiresAtMs: n === 4 ? NOW - HOUR : NOW - n }))
    }
    t.equal(leases.poolCandidate(SUBNET, pool, client(77), walk()), '10.77.0.104')
  })

  t.test('is no ended lease that is still its holder’s', async (t) => {
    const { leases } = openTables(t).tables
    const two = range('10.77.0.100-10.77.0.101')
    leases.put(aLease({ mac: client(1), address: ip('10.77.0.100'), expiresAtMs: NOW - HOUR }))
    leases.put(aLease({ mac: client(2), address: ip('10.77.0.101'), expiresAtMs: NOW - 1 }))
    const isHeld: PoolWalk['isHeld'] = (lease) => lease.mac === client(1)
    t.equal(leases.poolCandidate(SUBNET, two, client(77), walk({ isHeld })), '10.77.0.101')
  })

  t.test('is never offered, leased, quarantined, reserved or to be avoided', async (t) => {
    const { tables } = openTables(t)
    const { leases, machines, offers, quarantines } = tables
    const { clusterId: _cluster, imageId: _image, ...machine } = aMachine()
    machines.put({ ...machine, reservedAddress: ip('10.77.0.100') })
    offers.put({ subnet: SUBNET, mac: client(1), address: ip('10.77.0.101'), expiresAtMs: NOW + 1 })
    leases.put(aLease({ mac: client(2), address: ip('10.77.0.102') }))
    quarantines.put({ ...QUARANTINE, address: ip('10.77.0.103') })
    const few = range('10.77.0.100-10.77.0.105')
    const avoid = new Set([ip('10.77.0.104')])
    const isReserved: PoolWalk['isReserved'] = (address) => machines.reservedFor(address) !== undefined
    const walkHere = (nowMs = NOW) => walk({ avoid, isReserved, nowMs })
    t.equal(leases.poolCandidate(SUBNET, few, client(77), walkHere()), '10.77.0.105')
    leases.put(aLease({ mac: client(3), address: ip('10.77.0.105') }))
    t.equal(leases.poolCandidate(SUBNET, few, client(77), walkHere()), undefined)
    t.ok(leases.poolCandidate(SUBNET, few, client(77), walkHere(NOW + 1)), 'both ended')
  })

  t.test('is found behind any number of ended leases whose addresses are on offer', async (t) => {
    const { leases, offers } = openTables(t).tables
    const many = range('10.77.4.0-10.77.5.255')
    for (let n = 0; n < 512; n += 1) {
      const address = ipv4FromNumber(ipv4ToNumber(many.first) + n)
      leases.put(aLease({ mac: client(n), address, expiresAtMs: NOW - 1000 + n }))
      if (n < 500) offers.put({ subnet: SUBNET, mac: client(1000 + n), address, expiresAtMs: NOW + 120_000 })
    }
    t.equal(leases.poolCandidate(SUBNET, many, client(9999), walk()), '10.77.5.244')
  })
})

t.test('a /15 with one address left: it is found, and quickly', async (t) => {
  const { db, tables } = openTables(t)
  const { leases } = tables
  const pool = range('10.0.0.1-10.1.255.254')
  const first = ipv4ToNumber(pool.first)
  const size = ipv4ToNumber(pool.last) - first + 1
  const free = first + 77_777
  db.transaction(() => {
    for (let n = 0; n < size; n += 1) {
      if (first + n === free) continue
      leases.put(aLease({ subnet: '10.0.0.0/15', mac: client(n), address: ipv4FromNumber(first + n) }))
    }
  })()
  const find = () => leases.poolCandidate('10.0.0.0/15', pool, client(size + 5), walk())
  t.equal(find(), ipv4FromNumber(free))
  leases.put(aLease({ subnet: '10.0.0.0/15', mac: client(77_777), address: ipv4FromNumber(free) }))
  leases.noteCommitted(aLease({ address: ipv4FromNumber(free) }))
  t.equal(find(), undefined, 'full')
  // Not a timed test: the loop would take minutes were each look a walk over 130,000 rows.
  for (let n = 0; n < 2000; n += 1) find()
  leases.release('10.0.0.0/15', client(4242), NOW)
  t.equal(find(), ipv4FromNumber(first + 4242), 'the one that came back')
})

t.test('quarantine: an address has one, the latest', async (t) => {
  const { quarantines } = openTables(t).tables
  quarantines.put(QUARANTINE)
  quarantines.put({ ...QUARANTINE, untilMs: NOW + 2, why: 'answered-probe' })
  t.equal(quarantines.untilMs(ip('10.77.0.100')), NOW + 2)
})

t.test('lists go on after a key and miss nobody', async (t) => {
  const { leases } = openTables(t).tables
  for (let n = 0; n < 25; n += 1)
    leases.put(aLease({ mac: client(n), address: ipv4FromNumber(ipv4ToNumber(ip('10.77.0.20')) + n) }))
  const seen: Mac[] = []
  for (let page = leases.list('', '', 10); page.length > 0; ) {
    seen.push(...page.map((lease) => lease.mac))
    const last = page.at(-1)!
    page = leases.list(last.subnet, last.mac, 10)
  }
  t.same(
    seen,
    Array.from({ length: 25 }, (_, n) => client(n)),
  )
})
