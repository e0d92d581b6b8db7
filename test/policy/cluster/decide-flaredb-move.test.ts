import t from 'tap'
import type { GroupFacts } from '../../../src/model/cluster.ts'
import { decideFlaredbMove } from '../../../src/policy/cluster/decide-flaredb-move.ts'
import { aFoundedCluster, aGroup, anAttempt, effectsOf, NOW } from '../../support/builders.ts'
import { aPicture, nodeNo, voterNo } from './picture-of.ts'

const done = { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1, machineId: 'm1' } as const
const iam = { clusterId: 'c1', service: 'iam', state: 'done', epoch: 1 } as const

/** Chainfire leads, and FlareDB is as said. */
function seen(flaredb: Partial<GroupFacts>) {
  const picture = aPicture({
    members: [voterNo(1), voterNo(2), voterNo(1, { service: 'flaredb' }), voterNo(2, { service: 'flaredb' })],
    serviceFoundings: [done, iam],
  })
  const { probe } = picture.cluster
  const groups = { ...probe.groups, flaredb: aGroup({ result: 'no-leader', ...flaredb }) }
  return { ...picture, cluster: { ...picture.cluster, probe: { ...probe, groups } } }
}

t.test('FlareDB that nobody leads and nobody is known to have lost is given up by name only', async (t) => {
  const picture = seen({ healthyMachineIds: ['m1'] })
  const to = nodeNo(2)
  const refused = decideFlaredbMove(picture, { to, isHolderOff: true }).reply
  t.match(refused, { code: 'already-founded', cure: /--to node02 --discard-state demo$/ })
  t.match(decideFlaredbMove(picture, { to, isHolderOff: false, discardsStateOf: 'dmeo' }).reply, {
    code: 'name-mistyped',
    field: 'discard_state',
  })
  const { reply, effects } = decideFlaredbMove(picture, {
    to,
    isHolderOff: false,
    discardsStateOf: 'demo',
  })
  t.match(reply, { kind: 'done', notes: [/node02 founds/, /until they boot again/] })
  t.match(effectsOf(effects, 'put-service-founding'), [
    { row: { service: 'flaredb', state: 'granted', machineId: 'm2' } },
    { row: { service: 'iam', state: 'none' } },
  ])
  t.strictSame(
    effectsOf(effects, 'put-member').map(({ member }) => [member.service, member.memberId, member.state]),
    [
      ['flaredb', 'node01.1', 'removed'],
      ['flaredb', 'node02.1', 'removed'],
    ],
  )
  t.match(effectsOf(effects, 'append-event').at(-1), { event: { data: { discards_state: true } } })
})

t.test('what somebody leads is given up by nobody', async (t) => {
  const led = seen({ healthyMachineIds: ['m1'], leaderUrl: 'https://10.77.0.11:2479' })
  t.match(decideFlaredbMove(led, { to: nodeNo(2), isHolderOff: true, discardsStateOf: 'demo' }).reply, {
    code: 'already-founded',
    detail: /leads FlareDB/,
  })
})

t.test(
  'a grant that a restore may have overtaken may be given again, to the same machine or another',
  async (t) => {
    const granted = { ...done, state: 'granted', slotNo: 1 } as const
    const { founding } = aFoundedCluster()
    const move = (floor: number, to = nodeNo(1)) => {
      const restored = { ...founding, frozenBy: 'restore', incarnationFloor: floor } as const
      const picture = seen({ healthyMachineIds: [] })
      const cluster = { ...picture.cluster, founding: restored }
      const attempts = [
        anAttempt({ bootId: 'b1', machineId: 'm1', status: 'current', heardAtMs: NOW - 1000 }),
      ]
      return decideFlaredbMove(
        { ...picture, cluster, attempts, members: [voterNo(1), voterNo(2)], serviceFoundings: [granted] },
        { to, isHolderOff: false },
      ).reply
    }
    t.match(move(1000), { kind: 'done' })
    t.match(move(1000, nodeNo(2)), { kind: 'done' }, 'its holder waits, and does not found')
    t.match(move(0), { code: 'already-there' }, 'it was told since')
    t.match(move(0, nodeNo(2)), { code: 'holder-active' })
  },
)
