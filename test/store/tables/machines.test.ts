import t from 'tap'
import type { Machine } from '../../../src/model/machine.ts'
import { conflictOf } from '../../../src/store/conflict.ts'
import { aCluster, aMachine, anAttempt, anImage, ip, mac, NOW } from '../../support/builders.ts'
import { openTables, type Teardown } from '../../support/store-world.ts'

const FIRST = mac('02:00:00:00:00:01')
const SECOND = mac('02:00:00:00:00:02')

/** The tables with the cluster and the image that machines of the builders name. */
function setUp(t: Teardown) {
  const { tables } = openTables(t)
  tables.clusters.put(aCluster())
  tables.images.put(anImage())
  return tables
}

t.test('a machine comes back as it was put, with all that it may have and with nothing of it', async (t) => {
  const { machines } = setUp(t)
  const full = aMachine({
    macs: [SECOND, FIRST],
    uuid: '4c4c4544-0000-4000-8000-000000000001',
    serial: 'S1',
    ramMib: 65_536,
    kernelArguments: ['nomodeset'],
    loader: 'ipxe.pxe',
    dhcpOptions: [{ code: 26, bytes: '05dc' }] as never,
    currentBootId: 'b1',
    holdReason: 'operator',
    holdStep: 'iam-initial-setup',
    extraConfig: { rack: { row: 7 } },
    acceptedAs: { uuid: 'u', macs: [FIRST] } as never,
  })
  machines.put(full)
  t.same(machines.byId('m1'), full, 'the order of its MACs too')
  const bare: Machine = {
    id: 'm1',
    name: 'renamed',
    macs: [FIRST],
    role: 'worker',
    state: 'enrolled',
    bootMode: 'local',
    localBoot: 'sanboot',
    createdAtMs: full.createdAtMs,
  }
  machines.put(bare)
  t.same(machines.byName('renamed'), bare, 'what is left out is taken away')
  t.equal(machines.byName('node01'), undefined)
})

t.test('a name, a MAC and a reserved address are one machine’s: Conflict names the field', async (t) => {
  const cases: readonly (readonly [Partial<Machine>, string])[] = [
    [{ name: 'node01' }, 'name'],
    [{ macs: [FIRST] }, 'mac'],
    [{ reservedAddress: ip('10.77.0.11') }, 'reserved_address'],
  ]
  for (const [same, field] of cases) {
    const { machines } = setUp(t)
    machines.put(aMachine())
    const other = { id: 'm2', name: 'node02', macs: [SECOND], reservedAddress: ip('10.77.0.12'), ...same }
    try {
      machines.put(aMachine(other))
      t.fail(`two machines have one ${field}`)
    } catch (error) {
      t.match(conflictOf(error), { code: 'conflict', field })
    }
  }
})

t.test('a cluster and an image that are not there are refused', async (t) => {
  const { machines } = setUp(t)
  t.throws(() => machines.put(aMachine({ clusterId: 'gone' })), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  t.throws(() => machines.put(aMachine({ imageId: 'gone' })), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
})

t.test('a word that the model does not know is refused', async (t) => {
  const { machines } = setUp(t)
  for (const wrong of [{ state: 'asleep' }, { role: 'king' }, { bootMode: 'tape' }, { holdReason: 'mood' }])
    t.throws(
      () => machines.put(aMachine(wrong as never)),
      { code: 'SQLITE_CONSTRAINT_CHECK' },
      JSON.stringify(wrong),
    )
})

t.test('what is remembered of a MAC or an address follows every change', async (t) => {
  const { machines } = setUp(t)
  machines.put(aMachine())
  t.equal(machines.byMac(FIRST)?.state, 'armed')
  t.equal(machines.reservedFor(ip('10.77.0.11')), 'm1')
  machines.setState('m1', 'held')
  machines.arm('m1', undefined)
  machines.hold('m1', 'operator', 'iam-initial-setup')
  machines.setCurrentBoot('m1', 'b7')
  t.match(machines.byMac(FIRST), {
    state: 'held',
    armedUntilMs: undefined,
    holdReason: 'operator',
    holdStep: 'iam-initial-setup',
    currentBootId: 'b7',
  })
  machines.put(aMachine({ macs: [SECOND], reservedAddress: ip('10.77.0.12') }))
  t.equal(machines.byMac(FIRST), undefined, 'a MAC that was taken away')
  t.equal(machines.byMac(SECOND)?.id, 'm1')
  t.equal(machines.reservedFor(ip('10.77.0.11')), undefined)
  t.equal(machines.reservedFor(ip('10.77.0.12')), 'm1')
  machines.delete('m1')
  t.equal(machines.byMac(SECOND), undefined)
  t.equal(machines.reservedFor(ip('10.77.0.12')), undefined)
})

t.test('an identity is noted once: the first word counts', async (t) => {
  const { machines } = setUp(t)
  machines.put(aMachine())
  machines.noteIdentity('m1', 'u1', undefined)
  machines.noteIdentity('m1', 'u2', 's2')
  t.match(machines.byMac(FIRST), { uuid: 'u1', serial: 's2' })
})

t.test('lists go on after a name; the discovered ones are counted by time', async (t) => {
  const { machines } = setUp(t)
  for (const [n, name] of ['c', 'a', 'b'].entries()) {
    const { reservedAddress: _, ...machine } = aMachine({
      id: name,
      name,
      macs: [mac(`02:00:00:00:01:0${n}`)],
    })
    machines.put(machine)
  }
  machines.discover('d', mac('02:00:00:00:02:01'), NOW)
  t.same(
    machines.list('a', 2).map(({ name }) => name),
    ['b', 'c'],
  )
  t.same(
    machines.ofCluster('c1').map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  t.equal(machines.discoveredSince(NOW - 1), 1)
  t.equal(machines.discoveredSince(NOW), 0)
  t.equal(machines.byMac(mac('02:00:00:00:02:01'))?.name, 'discovered-020000000201')
})

t.test('with a machine go its boot attempts and its MACs', async (t) => {
  const { machines, attempts } = setUp(t)
  machines.put(aMachine())
  attempts.begin(anAttempt())
  machines.delete('m1')
  t.equal(attempts.byId('b1'), undefined)
  t.doesNotThrow(() => machines.put(aMachine({ id: 'm2' })), 'its name, MAC and address are free again')
})
