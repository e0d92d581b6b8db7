import t from 'tap'
import { aCluster, aMember, aSlot, NOW } from '../../support/builders.ts'
import { openTables, type Teardown } from '../../support/store-world.ts'

const STEP = 'chainfire-cluster-join'

function setUp(t: Teardown) {
  const { tables } = openTables(t)
  tables.clusters.put(aCluster())
  return tables.membership
}

t.test('a member is one life of one machine’s data in one group', async (t) => {
  const membership = setUp(t)
  membership.putMember(aMember({ state: 'joining' }))
  membership.putMember(aMember({ state: 'member', confirmedBy: 'list' }))
  membership.putMember(aMember({ incarnation: 2, memberId: 'node01.2', voter: false }))
  membership.putMember(aMember({ service: 'flaredb' }))
  t.same(membership.members('c1'), [
    aMember({ confirmedBy: 'list' }),
    aMember({ incarnation: 2, memberId: 'node01.2', voter: false }),
    aMember({ service: 'flaredb' }),
  ])
  t.same(membership.members('c2'), [])
})

t.test(
  'nobody is a member of a cluster that is not there, or in a word that the model does not know',
  async (t) => {
    const membership = setUp(t)
    t.throws(() => membership.putMember(aMember({ clusterId: 'gone' })), {
      code: 'SQLITE_CONSTRAINT_FOREIGNKEY',
    })
    t.throws(() => membership.putMember(aMember({ service: 'iam' as never })), {
      code: 'SQLITE_CONSTRAINT_CHECK',
    })
    t.throws(() => membership.putMember(aMember({ state: 'asleep' as never })), {
      code: 'SQLITE_CONSTRAINT_CHECK',
    })
    t.throws(
      () =>
        membership.putServiceFounding({
          clusterId: 'c1',
          service: 'chainfire' as never,
          state: 'none',
          epoch: 1,
        }),
      {
        code: 'SQLITE_CONSTRAINT_CHECK',
      },
    )
  },
)

t.test('there is one slot a cluster and step; one that was never taken is free', async (t) => {
  const membership = setUp(t)
  t.same(membership.slot('c1', STEP), aSlot(STEP))
  const held = aSlot(STEP, {
    state: 'held',
    action: 'join',
    machineId: 'm2',
    bootId: 'b2',
    memberId: 'node02.1',
    epoch: 1,
    slotNo: 2,
    heardAtMs: NOW,
    noted: 'told',
  })
  membership.putSlot(held)
  t.same(membership.slot('c1', STEP), held)
  membership.putSlot(aSlot(STEP, { slotNo: 2, failures: 1 }))
  t.same(membership.slots('c1'), [aSlot(STEP, { slotNo: 2, failures: 1 })], 'what is left out is taken away')
  t.equal(membership.allSlots('c1').length, 3)
  t.throws(() => membership.putSlot(aSlot(STEP, { state: 'lost' as never })), {
    code: 'SQLITE_CONSTRAINT_CHECK',
  })
})

t.test('F14: downtime is nobody’s silence: only a slot with a holder is heard', async (t) => {
  const membership = setUp(t)
  membership.putSlot(aSlot(STEP, { state: 'held', slotNo: 1, heardAtMs: NOW - 60_000 }))
  membership.putSlot(aSlot('flaredb-cluster-join', { state: 'suspect', slotNo: 1, heardAtMs: NOW - 60_000 }))
  membership.countDowntimeAsHeard(NOW)
  t.equal(membership.slot('c1', STEP).heardAtMs, NOW)
  t.equal(membership.slot('c1', 'flaredb-cluster-join').heardAtMs, NOW - 60_000)
})

t.test('a machine waits once, and a new boot of it keeps its place', async (t) => {
  const membership = setUp(t)
  const queueUp = (machineId: string, bootId: string) =>
    membership.queueUp({ clusterId: 'c1', step: STEP, machineId, bootId })
  queueUp('m2', 'b2')
  queueUp('m3', 'b3')
  queueUp('m2', 'b9')
  const waiting = () => membership.queue('c1', STEP).map(({ machineId, bootId }) => `${machineId}/${bootId}`)
  t.same(waiting(), ['m2/b9', 'm3/b3'])
  membership.leaveQueue('c1', STEP, 'm2')
  queueUp('m2', 'b9')
  t.same(waiting(), ['m3/b3', 'm2/b9'], 'whoever left stands at the end')
  t.same(membership.queue('c1', 'flaredb-cluster-join'), [])
})

t.test('a worker has one pass a step, of its last boot', async (t) => {
  const membership = setUp(t)
  const pass = { clusterId: 'c1', step: STEP, machineId: 'm4', bootId: 'b4' } as const
  membership.putPass({ ...pass, atMs: NOW })
  membership.putPass({ ...pass, bootId: 'b5', atMs: NOW + 1 })
  t.same(membership.passes('c1', STEP), [{ ...pass, bootId: 'b5' }])
  membership.dropPass('c1', STEP, 'm4')
  t.same(membership.passes('c1', STEP), [])
})

t.test('a service has one founding a cluster', async (t) => {
  const membership = setUp(t)
  const granted = {
    clusterId: 'c1',
    service: 'flaredb',
    state: 'granted',
    epoch: 1,
    machineId: 'm1',
    slotNo: 3,
  } as const
  membership.putServiceFounding(granted)
  t.same(membership.serviceFoundings('c1'), [granted])
  const done = { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1 } as const
  membership.putServiceFounding(done)
  t.same(membership.serviceFoundings('c1'), [done])
})
