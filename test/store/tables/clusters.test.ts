import t from 'tap'
import { conflictOf } from '../../../src/store/conflict.ts'
import { aCluster, aFoundedCluster, aFounding, aProbe, NOW } from '../../support/builders.ts'
import { openTables } from '../../support/store-world.ts'

t.test('a cluster comes back as it was put; its founding and its probe are written apart', async (t) => {
  const { clusters } = openTables(t).tables
  const { founding, probe, ...cluster } = aFoundedCluster({
    held: true,
    holdStep: 'iam-initial-setup',
    settings: { healthCa: 'PEM', extraConfig: { a: 1 } },
  })
  clusters.put(cluster)
  t.same(clusters.byId('c1'), { ...cluster, founding: aFounding(), probe: {} })
  clusters.putFounding('c1', founding)
  clusters.putProbe('c1', { ...probe, leaderSeenAtMs: NOW, twoLeadersAtMs: NOW })
  clusters.put({ ...cluster, name: 'renamed', held: false })
  t.same(clusters.byName('renamed'), {
    ...cluster,
    name: 'renamed',
    held: false,
    founding,
    probe: { ...probe, leaderSeenAtMs: NOW, twoLeadersAtMs: NOW },
  })
  clusters.putFounding('c1', aFounding({ epoch: 1, nextEpoch: 2, isRearmPaused: true }))
  clusters.putProbe('c1', { result: 'unreachable', probedAtMs: NOW })
  t.match(
    clusters.byId('c1'),
    { founding: aFounding({ epoch: 1, nextEpoch: 2, isRearmPaused: true }), probe: { leaderUrl: undefined } },
    'what is left out is taken away',
  )
  t.equal(clusters.byId('c2'), undefined)
})

t.test('a name is one cluster’s', async (t) => {
  const { clusters } = openTables(t).tables
  clusters.put(aCluster())
  try {
    clusters.put(aCluster({ id: 'c2' }))
    t.fail('two clusters have one name')
  } catch (error) {
    t.match(conflictOf(error), { code: 'conflict', field: 'name' })
  }
})

t.test('invariant 2: an epoch is below the next one; and only words and numbers of the model', async (t) => {
  const { clusters } = openTables(t).tables
  clusters.put(aCluster())
  const CHECK = { code: 'SQLITE_CONSTRAINT_CHECK' }
  t.throws(() => clusters.putFounding('c1', aFounding({ epoch: 2, nextEpoch: 2 })), CHECK)
  t.throws(() => clusters.putFounding('c1', aFounding({ state: 'asleep' as never })), CHECK)
  t.throws(() => clusters.putFounding('c1', aFounding({ frozenBy: 'mood' as never })), CHECK)
  t.throws(() => clusters.putProbe('c1', aProbe({ result: 'fine' as never })), CHECK)
  for (const expectedControlPlane of [0, 10])
    t.throws(() => clusters.put(aCluster({ id: 'c2', name: 'two', expectedControlPlane })), CHECK)
  t.same(clusters.byId('c1'), aCluster(), 'nothing of it was written')
})

t.test('F14: downtime is no time without a leader, where there was one', async (t) => {
  const { clusters } = openTables(t).tables
  for (const [id, founded, seen] of [
    ['seen', false, true],
    ['founded', true, false],
    ['neither', false, false],
  ] as const) {
    clusters.put(aCluster({ id, name: id }))
    if (founded) clusters.putFounding(id, aFounding({ foundedAtMs: NOW - 9000 }))
    if (seen) clusters.putProbe(id, { leaderSeenAtMs: NOW - 9000 })
  }
  clusters.countDowntimeAsLed(NOW)
  t.same(
    clusters.list('', 10).map(({ name, probe }) => [name, probe.leaderSeenAtMs]),
    [
      ['founded', NOW],
      ['neither', undefined],
      ['seen', NOW],
    ],
  )
  t.same(
    clusters.list('founded', 1).map(({ name }) => name),
    ['neither'],
    'a list goes on after a name',
  )
})
