import t from 'tap'
import { decideGate } from '../../../src/policy/first-boot/decide-gate.ts'
import type { GateRequest, GateSnapshot } from '../../../src/policy/first-boot/gate-snapshot.ts'
import {
  aFoundedCluster,
  aMachine,
  aMember,
  anAttempt,
  aProbe,
  aSlot,
  effectsOf,
  eventTypes,
  ip,
  NOW,
  succeeded,
} from '../../support/builders.ts'

const LEADER = { leaderUrl: 'https://10.77.0.11:2379' }
const { founding } = aFoundedCluster()
const restored = { ...founding, frozenBy: 'restore', incarnationFloor: 1000 } as const
const own = { machineId: 'm2', memberId: 'node02.1', bootId: 'b2' } as const

/** The second machine of a founded cluster, which comes with data. */
function node02(changes: Partial<GateSnapshot> = {}): GateSnapshot {
  return {
    nowMs: NOW,
    machine: aMachine({ id: 'm2', name: 'node02', state: 'first-boot', currentBootId: 'b2' }),
    attempt: anAttempt({ bootId: 'b2', machineId: 'm2', status: 'current' }),
    cluster: aFoundedCluster({ probe: aProbe(LEADER), stateKind: 'persistent' }),
    steps: [],
    slot: aSlot('chainfire-cluster-join'),
    slots: [],
    queue: [],
    members: [aMember()],
    passes: [],
    serviceFoundings: [],
    address: ip('10.77.0.12'),
    configuredFor: 'c1',
    freshPassword: 'fresh-password',
    ...changes,
  }
}

function ask(marker: string, step: GateRequest['step'] = 'chainfire-cluster-join'): GateRequest {
  return { step, marker }
}

t.test('a member by its own word goes on with its data, also after all lost power', async (t) => {
  const row = aMember({ ...own, bootId: 'b1', state: 'joining', confirmedBy: 'report' })
  const dark = aFoundedCluster({ probe: aProbe({ result: 'no-leader' }), stateKind: 'persistent' })
  const { reply, effects } = decideGate(
    node02({ cluster: dark, members: [aMember(), row] }),
    ask('c1:1:node02.1'),
  )
  t.match(reply, { kind: 'open', action: 'resume', memberId: 'node02.1' })
  t.match(effectsOf(effects, 'put-member'), [{ member: { state: 'joining', bootId: 'b2' } }])
  const unsaid = aMember({ ...own, state: 'joining' })
  t.match(
    decideGate(node02({ cluster: dark, members: [aMember(), unsaid] }), ask('c1:1:node02.1')).reply,
    { action: 'set-aside' },
    'it never said that it is in, and the slot is free',
  )
})

t.test(
  'a member that was renamed goes on with its data, which has its earlier name; another’s stays foreign',
  async (t) => {
    const machine = aMachine({ id: 'm2', name: 'web02', state: 'first-boot', currentBootId: 'b2' })
    const members = [aMember(), aMember({ ...own, bootId: 'b1' })]
    const dark = aFoundedCluster({ probe: aProbe({ result: 'no-leader' }), stateKind: 'persistent' })
    const frozen = {
      ...dark,
      founding: { ...dark.founding, state: 'frozen', frozenFrom: 'founded' },
    } as const
    for (const cluster of [dark, frozen]) {
      const replyTo = (marker: string) => decideGate(node02({ cluster, machine, members }), ask(marker)).reply
      t.match(replyTo('c1:1:node02.1'), { kind: 'open', action: 'resume', memberId: 'node02.1' })
      t.match(replyTo('c1:1:node01.1'), { kind: 'shut' })
    }
  },
)

t.test('who was never seen in asks the leader once more, under the id that it has', async (t) => {
  const row = aMember({ ...own, state: 'removed', confirmedBy: 'list' })
  const listed = (names: readonly string[]) =>
    aFoundedCluster({ probe: aProbe({ ...LEADER, list: 'there', listed: names }), stateKind: 'persistent' })
  for (const names of [['node01.1'], ['node01.1', 'node02.1']]) {
    const { reply, effects } = decideGate(
      node02({ cluster: listed(names), members: [aMember(), row] }),
      ask('c1:1:node02.1'),
    )
    t.match(reply, { kind: 'open', action: 'join', memberId: 'node02.1' }, names.join(' '))
    t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'held', memberId: 'node02.1' } }])
    t.match(effectsOf(effects, 'put-member'), [{ member: { state: 'joining', memberId: 'node02.1' } }])
  }
  const out = aMember({ ...own, state: 'removed' })
  t.match(
    decideGate(node02({ members: [aMember(), out] }), ask('c1:1:node02.1')).reply,
    { action: 'set-aside' },
    'it was a member, and is out',
  )
})

t.test('a restore undid a refound: the cluster goes on in the epoch whose data comes', async (t) => {
  const cluster = (changes: Partial<Parameters<typeof aProbe>[0]>, known: typeof founding = restored) =>
    aFoundedCluster({ probe: aProbe({ result: 'no-leader', ...changes }), founding: known })
  const { reply, effects } = decideGate(node02({ cluster: cluster({}) }), ask('c1:3:node02.1'))
  t.match(reply, { kind: 'open', action: 'resume', epoch: 3, memberId: 'node02.1' })
  t.match(effectsOf(effects, 'put-founding'), [
    { founding: { state: 'founded', epoch: 3, frozenBy: 'restore', foundedAtMs: NOW } },
  ])
  t.match(effectsOf(effects, 'put-founding')[0]?.founding, { nextEpoch: Math.max(founding.nextEpoch, 4) })
  t.match(effectsOf(effects, 'bind-attempt-epoch'), [{ bootId: 'b2', epoch: 3 }])
  t.match(effectsOf(effects, 'put-member'), [
    { member: { memberId: 'node01.1', epoch: 1, state: 'lost' } },
    { member: { memberId: 'node02.1', epoch: 3, state: 'member' } },
  ])
  t.ok(eventTypes(effects).includes('cluster.epoch-followed'))

  const stays = (asked: GateSnapshot, why: string) =>
    t.strictSame(effectsOf(decideGate(asked, ask('c1:3:node02.1')).effects, 'put-founding'), [], why)
  stays(node02({ cluster: cluster({ ...LEADER, result: 'leader-quorum' }) }), 'somebody leads the older one')
  const since = aMember({ machineId: 'm3', memberId: 'node03.1001', incarnation: 1001, bootId: 'b3' })
  stays(node02({ cluster: cluster({}), members: [aMember(), since] }), 'somebody has joined the older one')
  const listed = aMember({ confirmedBy: 'list' })
  stays(node02({ cluster: cluster({}), members: [listed] }), 'a list named the members, of whichever epoch')
  stays(node02({ cluster: cluster({}, founding) }), 'nothing was restored: that data is foreign')
})

t.test('data of the epoch that a refound gave up is set aside, also after a restore', async (t) => {
  const cluster = aFoundedCluster({
    founding: { ...restored, epoch: 3, nextEpoch: 1002 },
    probe: aProbe(LEADER),
  })
  t.match(decideGate(node02({ cluster }), ask('c1:1:node02.1')).reply, { action: 'set-aside' })
  t.match(decideGate(node02({ cluster }), ask('c1:3:node02.1')).reply, { action: 'resume' })
})

t.test('after a restore FlareDB is not founded again by a machine that comes without its data', async (t) => {
  const granted = {
    clusterId: 'c1',
    service: 'flaredb',
    state: 'granted',
    epoch: 1,
    machineId: 'm2',
  } as const
  const reply = (slotNo: number | undefined, holderBoot: string) =>
    decideGate(
      node02({
        cluster: aFoundedCluster({ founding: restored, probe: aProbe(LEADER) }),
        steps: [succeeded('chainfire-cluster-join', { bootId: 'b2' })],
        slot: aSlot('flaredb-cluster-join', {
          state: 'suspect',
          action: 'found',
          machineId: 'm2',
          bootId: holderBoot,
          memberId: 'node02.1',
          epoch: 1,
          slotNo: 1001,
        }),
        members: [aMember(), aMember({ ...own, service: 'chainfire' })],
        serviceFoundings: [slotNo === undefined ? granted : { ...granted, slotNo }],
      }),
      ask('', 'flaredb-cluster-join'),
    ).reply
  t.match(reply(1, 'b1'), { kind: 'shut', reason: 'flaredb-unknown' }, 'it may have founded it since')
  t.match(reply(1, 'b2'), { action: 'found' }, 'told in this very boot, which goes on')
  t.match(reply(1002, 'b1'), { action: 'found' }, 'told since the restore')
  t.match(reply(undefined, 'b1'), { action: 'found' }, 'an operator said who')
})
