import t from 'tap'
import type { Cluster, GroupFacts } from '../../../src/model/cluster.ts'
import { freshGroup, knownLeader } from '../../../src/policy/cluster/leaders.ts'
import { aFoundedCluster, aFounding, NOW } from '../../support/builders.ts'

const OLD_FOUNDER = 'https://10.77.0.12:2379'
const FOUNDER = 'https://10.77.0.11:2379'

/** A cluster whose founder has said so just now, and the round of answers before or after that. */
function heard(atMs: number, changes: Partial<GroupFacts> = {}): Cluster {
  const facts: GroupFacts = {
    result: 'leader-quorum',
    atMs,
    list: 'absent',
    differs: false,
    healthyMachineIds: ['m2'],
    leaderUrl: OLD_FOUNDER,
    ...changes,
  }
  return aFoundedCluster({
    founding: aFounding({ state: 'founded', epoch: 3, nextEpoch: 4, foundedAtMs: NOW }),
    probe: { groups: { chainfire: facts }, reported: { chainfire: { url: FOUNDER, atMs: NOW } } },
  })
}

t.test(
  'who led before the founder said that it founded leads another group: the founder is believed',
  async (t) => {
    const cluster = heard(NOW - 6000)
    t.equal(knownLeader(cluster, 'chainfire', NOW), FOUNDER)
    t.equal(freshGroup(cluster, 'chainfire', NOW), undefined)
  },
)

t.test('from the founding on a round that is fresh says who leads', async (t) => {
  t.equal(knownLeader(heard(NOW), 'chainfire', NOW + 1), OLD_FOUNDER)
  t.equal(knownLeader(heard(NOW, { result: 'no-leader' }), 'chainfire', NOW + 1), undefined)
  t.equal(knownLeader(heard(NOW, { result: 'unreachable' }), 'chainfire', NOW + 1), FOUNDER, 'by its word')
  t.equal(knownLeader(heard(NOW), 'chainfire', NOW + 60_000), undefined, 'too long ago, both')
})
