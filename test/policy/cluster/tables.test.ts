import t from 'tap'
import type { GroupFacts } from '../../../src/model/cluster.ts'
import { decideClusterDeletion } from '../../../src/policy/cluster/decide-cluster-deletion.ts'
import { decideClusterHold, decideClusterRelease } from '../../../src/policy/cluster/decide-cluster-hold.ts'
import { decideFlaredbMove } from '../../../src/policy/cluster/decide-flaredb-move.ts'
import { decideFoundingMove } from '../../../src/policy/cluster/decide-move.ts'
import { decideProbe } from '../../../src/policy/cluster/decide-probe.ts'
import { decideRefound } from '../../../src/policy/cluster/decide-refound.ts'
import { decideMemberForget, decideSlotFree } from '../../../src/policy/cluster/decide-slot.ts'
import { decideTick } from '../../../src/policy/cluster/decide-tick.ts'
import { decideFreeze, decideUnfreeze } from '../../../src/policy/cluster/decide-unfreeze.ts'
import type { ClusterPicture } from '../../../src/policy/cluster/picture.ts'
import { quorumGuard } from '../../../src/policy/cluster/quorum.ts'
import { beginRemoval, decideRemovalResult } from '../../../src/policy/cluster/removal.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../../src/policy/image/preflight.ts'
import { decideArm } from '../../../src/policy/machine/decide-arm.ts'
import { removeFromGroups } from '../../../src/policy/machine/removal-fault.ts'
import {
  aFoundedCluster,
  aFounding,
  aGroup,
  anAttempt,
  anImage,
  aSlot,
  effectsOf,
  eventTypes,
  NOW,
} from '../../support/builders.ts'
import { aPicture, aRound, nodeNo, voterNo, withSlot } from './picture-of.ts'

const ALL = ['node01.1', 'node02.1', 'node03.1']
const granted = aFounding({
  state: 'granted',
  epoch: 1,
  nextEpoch: 2,
  holderMachineId: 'm1',
  holderBootId: 'b1',
})

function founding(
  picture: ClusterPicture,
  changes: Partial<ClusterPicture['cluster']['founding']>,
): ClusterPicture {
  const { cluster } = picture
  return { ...picture, cluster: { ...cluster, founding: { ...cluster.founding, ...changes } } }
}

function unfounded(changes: Partial<ClusterPicture> = {}): ClusterPicture {
  return aPicture({
    cluster: aFoundedCluster({ founding: granted, probe: {}, stateKind: 'persistent' }),
    members: [],
    serviceFoundings: [],
    ...changes,
  })
}

function heard(agoMs: number, bootId = 'b1') {
  return [anAttempt({ bootId, machineId: `m${bootId.slice(1)}`, status: 'current', heardAtMs: NOW - agoMs })]
}

function suspect(action: 'join' | 'found' = 'join') {
  return aSlot('chainfire-cluster-join', {
    state: 'suspect',
    action,
    machineId: 'm3',
    bootId: 'b3',
    memberId: 'node03.1',
    epoch: 1,
    slotNo: 7,
    heardAtMs: NOW - 200_000,
  })
}

const joining = [voterNo(1), voterNo(2), voterNo(3, { state: 'joining' })]

t.test(
  'F6: a doubtful founder that a probe sees leading is granted again, and founds nothing by it',
  async (t) => {
    const picture = founding(unfounded(), { state: 'doubtful' })
    const { effects } = decideProbe(picture, aRound(picture, [1], ['node01.1']))
    t.match(effectsOf(effects, 'put-founding'), [{ founding: { state: 'granted', epoch: 1 } }])
  },
)

t.test(
  'F7: a founder silent for ten minutes before its first report, 90 s after it, is doubtful',
  async (t) => {
    for (const [agoMs, holderHasReported, isDoubtful] of [
      [600_000, false, false],
      [600_001, false, true],
      [90_000, true, false],
      [90_001, true, true],
    ] as const) {
      const { effects } = decideTick(unfounded({ attempts: heard(agoMs), holderHasReported }))
      const puts = effectsOf(effects, 'put-founding')
      t.equal(puts.length, isDoubtful ? 1 : 0, `${agoMs} ms`)
      if (isDoubtful)
        t.match(puts, [{ founding: { state: 'doubtful', holderMachineId: 'm1' } }], 'nothing is freed')
    }
  },
)

t.test(
  'F8: move reserves another machine, fences the founder and makes its boot stale at once',
  async (t) => {
    const picture = unfounded({ attempts: heard(61_000) })
    const wish = { to: nodeNo(2), addresses: 'ours', armSeconds: 1800, isHolderOff: false } as const
    const { reply, effects } = decideFoundingMove(picture, wish)
    t.match(reply, { kind: 'done' })
    t.match(effectsOf(effects, 'put-founding'), [
      { founding: { state: 'open', epoch: 2, nextEpoch: 3, reservedFor: 'm2' } },
    ])
    t.match(effectsOf(effects, 'hold-machine'), [{ machineId: 'm1', reason: 'fenced' }])
    t.match(effectsOf(effects, 'arm-machine').at(-1), { machineId: 'm2', untilMs: NOW + 1_800_000 })
  },
)

t.test('F8: move refuses, each time with its cure', async (t) => {
  const wish = { to: nodeNo(2), addresses: 'ours', armSeconds: 1800, isHolderOff: false } as const
  const cases: readonly (readonly [string, ClusterPicture, Parameters<typeof decideFoundingMove>[1]])[] = [
    ['already-founded', aPicture(), wish],
    ['holder-active', unfounded({ attempts: heard(59_000) }), wish],
    ['not-control-plane', unfounded(), { ...wish, to: nodeNo(2, { role: 'worker' }) }],
    ['machine-held', unfounded(), { ...wish, to: nodeNo(2, { state: 'held' }) }],
    ['no-fixed-address', unfounded(), { ...wish, addresses: 'foreign', to: withoutAddress(2) }],
  ]
  for (const [code, picture, asked] of cases) {
    const { reply, effects } = decideFoundingMove(picture, asked)
    t.match(reply, { kind: 'refused', status: 409, code, cure: /\S/ }, code)
    t.strictSame(effects, [])
  }
  const off = decideFoundingMove(unfounded({ attempts: heard(1) }), { ...wish, isHolderOff: true })
  t.match(off.reply, { kind: 'done' }, 'the operator says that it is off')
})

function withoutAddress(number: number) {
  const { reservedAddress: _none, ...machine } = nodeNo(number)
  return machine
}

const longAgo = { probe: { leaderSeenAtMs: NOW - 60_001 } }

t.test('F10: too few voters with state and no leader for a minute is lost; silence never is', async (t) => {
  const members = (lost: readonly number[]) =>
    [1, 2, 3].map((n) => voterNo(n, lost.includes(n) ? { state: 'lost' } : {}))
  const picture = (lost: readonly number[], more = longAgo) =>
    aPicture({
      cluster: aFoundedCluster({ ...more, founding: { ...aFoundedCluster().founding, foundedAtMs: 1 } }),
      members: members(lost),
    })
  t.match(effectsOf(decideTick(picture([1, 2])).effects, 'put-founding'), [{ founding: { state: 'lost' } }])
  t.strictSame(effectsOf(decideTick(picture([1])).effects, 'put-founding'), [], 'two of three have it')
  t.strictSame(effectsOf(decideTick(picture([])).effects, 'put-founding'), [], 'unreachable is not lost')
  const led = { probe: { leaderSeenAtMs: NOW - 60_000 } }
  t.strictSame(effectsOf(decideTick(picture([1, 2], led)).effects, 'put-founding'), [], 'led a minute ago')
})

t.test('F10: one of two with the other on its way in is lost whether that got in or not', async (t) => {
  const cluster = aFoundedCluster({ ...longAgo, founding: { ...aFoundedCluster().founding, foundedAtMs: 1 } })
  const members = [voterNo(1, { state: 'lost' }), voterNo(2, { state: 'joining' })]
  t.match(effectsOf(decideTick(aPicture({ cluster, members })).effects, 'put-founding'), [
    { founding: { state: 'lost' } },
  ])
})

t.test(
  'F11: a lost cluster that a probe sees with leader and quorum is founded: it was not lost',
  async (t) => {
    const picture = founding(aPicture(), { state: 'lost' })
    const { effects } = decideProbe(picture, aRound(picture, [1, 2], ALL))
    t.match(effectsOf(effects, 'put-founding'), [{ founding: { state: 'founded' } }])
    t.ok(eventTypes(effects).includes('cluster.not-lost'))
  },
)

t.test('F12: refound reopens for one machine, under a new epoch, with every member lost', async (t) => {
  const lost = [1, 2, 3].map((n) => voterNo(n, { state: 'lost' }))
  const picture = founding(aPicture({ cluster: aFoundedCluster({ probe: {} }), members: lost }), {
    state: 'lost',
  })
  const { reply, effects } = decideRefound(picture, { machine: nodeNo(2), addresses: 'ours', armSeconds: 60 })
  t.match(reply, { kind: 'done', notes: [/node02/, /node01 node03/] }, 'ready machines are named as stale')
  t.match(effectsOf(effects, 'put-founding'), [
    { founding: { state: 'open', epoch: 2, nextEpoch: 3, reservedFor: 'm2' } },
  ])
  t.match(effectsOf(effects, 'put-service-founding'), [{ row: { state: 'none' } }], 'E1')
})

t.test('F12: refound refuses while anything may live, and believes only the name typed', async (t) => {
  const wish = { machine: nodeNo(2), addresses: 'ours', armSeconds: 60 } as const
  const dark = aPicture({ cluster: aFoundedCluster({ probe: {}, stateKind: 'persistent' }) })
  t.match(decideRefound(aPicture(), wish).reply, { code: 'leader-seen' })
  t.match(decideRefound(unfounded(), wish).reply, { code: 'not-founded' })
  t.match(decideRefound(dark, wish).reply, { code: 'state-may-exist', cure: /--discard-state demo/ })
  t.match(decideRefound(dark, { ...wish, discardsStateOf: 'dmeo' }).reply, { code: 'name-mistyped' })
  t.match(decideRefound(dark, { ...wish, discardsStateOf: 'demo' }).reply, { kind: 'done' })
  const { leaderUrl: _none, ...probe } = aPicture().cluster.probe
  const alone = aPicture({ cluster: aFoundedCluster({ probe: { ...probe, result: 'no-leader' } }) })
  t.match(decideRefound(alone, wish).reply, { code: 'survivor' })
  const row = voterNo(3, { state: 'joining', incarnation: 1001 })
  const restored = founding({ ...dark, members: [row] }, { frozenBy: 'restore', incarnationFloor: 1000 })
  t.match(decideRefound(restored, wish).reply, { code: 'state-may-exist' }, 'members may be forgotten')
  t.match(decideRefound({ ...dark, members: [row] }, wish).reply, { kind: 'done' })
})

t.test(
  'F13: a held cluster voids unredeemed tokens; held at a step it does not; release ends either',
  async (t) => {
    const whole = decideClusterHold(aPicture())
    t.equal(effectsOf(whole.effects, 'revoke-boot-tokens').length, 3)
    const atStep = decideClusterHold(aPicture(), 'flaredb-cluster-join')
    t.match(effectsOf(atStep.effects, 'put-cluster'), [
      { cluster: { held: true, holdStep: 'flaredb-cluster-join' } },
    ])
    t.strictSame(effectsOf(atStep.effects, 'revoke-boot-tokens'), [])
    t.match(decideClusterRelease(aPicture()).reply, { code: 'not-held' })
  },
)

t.test('F15: a restore freezes, raises every number by 1000 and voids every arm', async (t) => {
  const { effects } = decideFreeze(aPicture({ machines: [nodeNo(1, { state: 'armed' })] }), 'restore')
  t.match(effectsOf(effects, 'put-founding'), [
    {
      founding: {
        state: 'frozen',
        frozenFrom: 'founded',
        nextEpoch: 1002,
        incarnationFloor: 1001,
        isRearmPaused: true,
      },
    },
  ])
  t.match(
    effectsOf(effects, 'put-slot').map(({ slot }) => slot.slotNo),
    [1007, 1007, 1007],
  )
  t.match(effectsOf(effects, 'arm-machine'), [{ machineId: 'm1', untilMs: undefined }])
  t.match(effectsOf(effects, 'set-machine-state'), [{ state: 'enrolled' }])
})

t.test('F15: two leaders freeze only when they are seen again after ten seconds', async (t) => {
  const first = decideProbe(aPicture(), aRound(aPicture(), [1, 2, 3], undefined, 2))
  t.strictSame(effectsOf(first.effects, 'put-founding'), [])
  const again = (agoMs: number) => {
    const picture = aPicture()
    const seen = { ...picture, cluster: { ...picture.cluster, probe: { twoLeadersAtMs: NOW - agoMs } } }
    return effectsOf(decideProbe(seen, aRound(seen, [1, 2, 3], undefined, 2)).effects, 'put-founding')
  }
  t.strictSame(again(9_999), [])
  t.match(again(10_000), [{ founding: { state: 'frozen', frozenBy: 'two-leaders' } }])
})

t.test('F18: a leader whose list names only ours unfreezes; a stranger, or F2, does not', async (t) => {
  const frozen = founding(aPicture({ members: [voterNo(1)] }), {
    state: 'frozen',
    frozenFrom: 'founded',
    frozenBy: 'restore',
  })
  const { effects } = decideProbe(frozen, aRound(frozen, [1, 2], ALL))
  t.match(effectsOf(effects, 'put-founding'), [{ founding: { state: 'founded', epoch: 1 } }])
  t.match(
    effectsOf(effects, 'put-member')
      .filter(({ member }) => member.service === 'chainfire')
      .map(({ member }) => member.memberId),
    ALL,
  )
  const stranger = decideProbe(frozen, aRound(frozen, [1, 2], [...ALL.slice(0, 2), 'other.1']))
  t.strictSame(effectsOf(stranger.effects, 'put-founding'), [])
  const f2 = founding(frozen, { frozenBy: 'leader-there' })
  t.strictSame(effectsOf(decideProbe(f2, aRound(f2, [1, 2], ALL)).effects, 'put-founding'), [])
})

t.test('F18: a join that is under way is not out because the list does not name it yet', async (t) => {
  const frozen = founding(
    withSlot(aPicture({ members: [voterNo(1), voterNo(2), voterNo(3, { state: 'joining' })] }), {
      ...suspect(),
      state: 'held',
    }),
    { state: 'frozen', frozenFrom: 'founded', frozenBy: 'restore' },
  )
  const { effects } = decideProbe(frozen, aRound(frozen, [1, 2], ALL.slice(0, 2)))
  const third = effectsOf(effects, 'put-member').find(({ member }) => member.memberId === 'node03.1')
  t.match(third, { member: { state: 'joining' } })
  t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'suspect', memberId: 'node03.1' } }])
})

t.test('S13: the list settles what a machine says of itself by a slot that was freed', async (t) => {
  const said = { state: 'joining', confirmedBy: 'report' } as const
  const picture = aPicture({
    members: [voterNo(1), voterNo(2), voterNo(3, said)],
    succeededSteps: new Set(['b3 chainfire-cluster-join']),
  })
  const after = (listed: readonly string[]) =>
    effectsOf(decideProbe(picture, aRound(picture, [1, 2, 3], listed)).effects, 'put-member').map(
      ({ member }) => [member.memberId, member.state, member.confirmedBy],
    )
  t.strictSame(after(ALL), [['node03.1', 'member', 'list']])
  t.strictSame(after(ALL.slice(0, 2)), [['node03.1', 'removed', 'list']])
})

t.test('F19: unfreeze as open needs that nobody leads, as founded that not two do', async (t) => {
  const frozen = founding(aPicture(), { state: 'frozen', frozenFrom: 'granted', frozenBy: 'restore' })
  t.match(decideUnfreeze(frozen, 'open').reply, { code: 'leader-seen' })
  t.match(effectsOf(decideUnfreeze(frozen, 'founded').effects, 'put-founding'), [
    { founding: { state: 'founded' } },
  ])
  const dark = { ...frozen, cluster: { ...frozen.cluster, probe: {} } }
  t.match(effectsOf(decideUnfreeze(dark, 'open').effects, 'put-founding'), [
    { founding: { state: 'open', epoch: 1 } },
  ])
  const going = { ...dark, members: [voterNo(1), voterNo(2, { state: 'removing' })] }
  t.match(
    effectsOf(decideUnfreeze(going, 'open').effects, 'put-member'),
    [{ member: { memberId: 'node02.1', state: 'lost' } }],
    'E1: its slot is free, so its removal is over',
  )
  const two = {
    ...frozen,
    cluster: { ...frozen.cluster, probe: { result: 'two-leaders', probedAtMs: NOW } as const },
  }
  t.match(decideUnfreeze(two, 'founded').reply, { code: 'two-leaders' })
  t.match(decideUnfreeze(aPicture(), 'open').reply, { code: 'not-frozen' })
})

t.test(
  'F20: a cluster is deleted when no machine is left, or all are decommissioned; its name is free',
  async (t) => {
    t.match(decideClusterDeletion(aPicture()).reply, { code: 'cluster-in-use' })
    const left = aPicture({ machines: [nodeNo(1, { state: 'held', holdReason: 'decommissioned' })] })
    const { effects } = decideClusterDeletion(left)
    t.match(effectsOf(effects, 'put-founding'), [{ founding: { state: 'closed' } }])
    t.match(effectsOf(effects, 'put-cluster'), [{ cluster: { name: /^demo\.closed-/ } }])
  },
)

t.test(
  'S6: a holder silent past TimeoutStartSec and 30 s is suspect, and heard by any report of its boot',
  async (t) => {
    const held = aSlot('chainfire-cluster-join', {
      state: 'held',
      machineId: 'm3',
      bootId: 'b3',
      heardAtMs: 1,
      slotNo: 7,
    })
    for (const [agoMs, count] of [
      [90_000, 0],
      [90_001, 1],
    ] as const) {
      const { effects } = decideTick(withSlot(aPicture({ attempts: heard(agoMs, 'b3') }), held))
      t.equal(effectsOf(effects, 'put-slot').filter(({ slot }) => slot.state === 'suspect').length, count)
    }
  },
)

t.test('S7: a suspect join is settled by the list: in and healthy, not in, or in and dead', async (t) => {
  const picture = withSlot(aPicture({ members: joining }), suspect())
  const chainfire = (healthy: readonly number[], listed: readonly string[]) => {
    const { effects } = decideProbe(picture, aRound(picture, healthy, listed))
    return {
      slot: effectsOf(effects, 'put-slot').find(({ slot }) => slot.step === 'chainfire-cluster-join')?.slot
        .state,
      row: effectsOf(effects, 'put-member').find(({ member }) => member.machineId === 'm3')?.member.state,
    }
  }
  t.strictSame(chainfire([1, 2, 3], ALL), { slot: 'free', row: 'member' })
  t.strictSame(chainfire([1, 2], ['node01.1', 'node02.1']), { slot: 'free', row: 'removed' })
  t.strictSame(chainfire([1, 2], ALL), { slot: 'server', row: 'removing' }, 'removed first')
  t.strictSame(chainfire([1], ALL), { slot: undefined, row: undefined }, 'no quorum: nothing is freed')
})

t.test(
  'a join as a learner: it waits to be promoted, counts for no quorum, and goes without a vote',
  async (t) => {
    const two = joining.filter(({ machineId }) => machineId !== 'm2').map((row) => ({ ...row }))
    const picture = withSlot(aPicture({ members: two }), suspect())
    const learner = (healthy: readonly number[], from = picture) => {
      const round = aRound(from, healthy, ['node01.1', 'node03.1'])
      const members = [
        { id: 'node01.1', voter: true },
        { id: 'node03.1', voter: false },
      ]
      const answers = round.chainfire.answers.map((answer) => ({ ...answer, clusterSize: 1 }))
      return decideProbe(from, { ...round, chainfire: { answers, list: { kind: 'members', members } } })
        .effects
    }
    const lives = learner([1, 3])
    t.match(effectsOf(lives, 'put-slot'), [{ slot: { state: 'suspect', noted: 'learner' } }])
    t.strictSame(effectsOf(lives, 'put-member'), [], 'it is no member that votes')
    t.ok(eventTypes(lives).includes('cluster.learner-waits'))
    const told = withSlot(picture, { ...suspect(), noted: 'learner' })
    t.notOk(eventTypes(learner([1, 3], told)).includes('cluster.learner-waits'), 'told once')
    const dead = learner([1])
    t.match(effectsOf(dead, 'put-slot'), [{ slot: { state: 'server', memberId: 'node03.1' } }])
    t.match(effectsOf(dead, 'put-probe').at(-1)?.probe.groups?.chainfire, {
      result: 'leader-quorum',
      learners: ['node03.1'],
    })

    // Of three voters two are dead; a learner that lives makes no majority of the one that is left.
    const three = withSlot(aPicture({ members: joining }), suspect())
    const round = aRound(three, [1, 3], ALL)
    const members = [...ALL, 'node04.1'].map((id) => ({ id, voter: id !== 'node03.1' }))
    const { effects } = decideProbe(three, {
      ...round,
      chainfire: {
        answers: round.chainfire.answers.map((answer) => ({ ...answer, clusterSize: 3 })),
        list: { kind: 'members', members },
      },
    })
    t.equal(effectsOf(effects, 'put-probe').at(-1)?.probe.groups?.chainfire?.result, 'no-leader')
  },
)

t.test('S7: answers that are older than the tables settle nothing', async (t) => {
  const before = withSlot(aPicture({ members: joining }), { ...suspect(), bootId: 'b9' })
  const round = aRound(before, [1, 2], ['node01.1', 'node02.1'])
  const now = withSlot(aPicture({ members: joining }), suspect())
  t.strictSame(effectsOf(decideProbe(now, round).effects, 'put-slot'), [])
})

t.test('S8: without a list only the size tells; where it differs an operator confirms by hand', async (t) => {
  const picture = withSlot(aPicture({ members: joining }), suspect())
  const sized = (clusterSize: number) => {
    const round = aRound(picture, [1, 2], 'not-there')
    const answers = round.chainfire.answers.map((answer) =>
      answer.isHealthy ? { ...answer, clusterSize } : answer,
    )
    return decideProbe(picture, { ...round, chainfire: { ...round.chainfire, answers } }).effects
  }
  t.match(effectsOf(sized(2), 'put-slot'), [{ slot: { state: 'free' } }])
  t.match(effectsOf(sized(3), 'put-slot'), [{ slot: { state: 'suspect', noted: 'by-hand' } }])
  t.ok(eventTypes(sized(3)).includes('cluster.confirm-by-hand'))
})

t.test(
  'S9: a suspect set-up is free while FlareDB leads with quorum; a suspect founding is not',
  async (t) => {
    const setup = aSlot('iam-initial-setup', {
      state: 'suspect',
      action: 'setup',
      machineId: 'm3',
      slotNo: 7,
    })
    const picture = withSlot(aPicture(), setup)
    const { effects } = decideProbe(picture, aRound(picture, [1, 2], ALL))
    t.match(effectsOf(effects, 'put-slot'), [{ slot: { step: 'iam-initial-setup', state: 'free' } }])
    const found = withSlot(aPicture({ members: joining }), suspect('found'))
    const kept = decideProbe(found, aRound(found, [1, 2], ALL))
    t.strictSame(effectsOf(kept.effects, 'put-slot'), [])
  },
)

t.test('S9: FlareDB seen leading is founded after a restore, or when its founder said so', async (t) => {
  const row = { clusterId: 'c1', service: 'flaredb', state: 'granted', epoch: 1, machineId: 'm3' } as const
  const members = [...joining, voterNo(3, { service: 'flaredb', state: 'joining' })]
  const open = { ...suspect('found'), step: 'flaredb-cluster-join' } as const
  const after = (slot: typeof open | undefined, changes: Partial<ClusterPicture>, by?: 'restore') => {
    const base = founding(
      aPicture({ members, serviceFoundings: [row], ...changes }),
      by ? { frozenBy: by } : {},
    )
    const picture = slot === undefined ? base : withSlot(base, slot)
    const { effects } = decideProbe(picture, aRound(picture, [1, 2, 3], ALL))
    return [
      effectsOf(effects, 'put-service-founding').map(({ row: put }) => put.state),
      effectsOf(effects, 'put-slot')
        .filter(({ slot: put }) => put.step === open.step)
        .map(({ slot: put }) => put.state),
    ]
  }
  const other = founding(aPicture({ members, serviceFoundings: [row] }), { frozenBy: 'restore' })
  const listed = ['node01.1', 'node02.1', 'node03.2']
  const taken = decideProbe(withSlot(other, open), aRound(withSlot(other, open), [1, 2, 3], listed))
  t.match(
    effectsOf(taken.effects, 'put-member').filter(({ member }) => member.memberId === 'node03.1')[0],
    { member: { service: 'flaredb', state: 'removed' } },
    'founded under an id that the restore forgot: the row without its slot is out',
  )
  const said = { succeededSteps: new Set(['b3 flaredb-cluster-join']) }
  t.strictSame(after(open, {}), [[], []], 'only its founder or an operator ends a suspect founding')
  t.strictSame(after(open, said), [['done'], ['free']])
  t.strictSame(after(undefined, said), [['done'], []], 'its slot was freed by an operator')
  t.strictSame(after({ ...open, state: 'held' } as never, said), [['done'], ['free']])
  t.strictSame(after({ ...open, state: 'held' } as never, {}, 'restore'), [[], []], 'it is at work')
  t.strictSame(after(open, {}, 'restore'), [['done'], ['free']], 'the report is what the restore forgot')
  t.strictSame(after({ ...open, action: 'join' } as never, said), [[], ['free']], 'a join is no founding')
})

t.test(
  'S9: FlareDB that a founder leads under an id that a restore forgot has no member of the older id',
  async (t) => {
    const row = { clusterId: 'c1', service: 'flaredb', state: 'granted', epoch: 1, machineId: 'm3' } as const
    const slot = { ...suspect('found'), step: 'flaredb-cluster-join' } as const
    for (const state of ['joining', 'lost'] as const) {
      const members = [
        ...joining,
        voterNo(3, { service: 'flaredb', state, bootId: 'b0' }),
        voterNo(3, { service: 'flaredb', memberId: 'node03.2', incarnation: 2 }),
      ]
      const restored = founding(aPicture({ members, serviceFoundings: [row] }), { frozenBy: 'restore' })
      const picture = withSlot(restored, { ...slot, bootId: 'b0' })
      const { effects } = decideProbe(picture, aRound(picture, [3], 'not-there'))
      t.match(effectsOf(effects, 'put-service-founding'), [{ row: { state: 'done' } }])
      t.strictSame(
        effectsOf(effects, 'put-member')
          .filter(({ member }) => member.service === 'flaredb')
          .map(({ member }) => [member.memberId, member.state]),
        [['node03.1', 'removed']],
        `${state}: it goes on as node03.2`,
      )
    }
  },
)

/** No round has told anything yet, so the next one says whether there is a list. */
function unasked(picture: ClusterPicture): ClusterPicture {
  return { ...picture, cluster: { ...picture.cluster, probe: {} } }
}

t.test(
  'S9: a founder that a restore left in its slot and that answers in a founded cluster is its member',
  async (t) => {
    const restored = founding(aPicture({ members: joining }), { frozenBy: 'restore' })
    const picture = unasked(withSlot(restored, suspect('found')))
    const after = (
      from: ClusterPicture,
      healthy: readonly number[],
      listed: readonly string[] | 'not-there',
    ) => {
      const { effects } = decideProbe(from, aRound(from, healthy, listed))
      const own = effectsOf(effects, 'put-slot').filter(({ slot }) => slot.step === 'chainfire-cluster-join')
      const rows = effectsOf(effects, 'put-member').filter(
        ({ member }) => member.machineId === 'm3' && member.service === 'chainfire',
      )
      return [own.map(({ slot }) => slot.state), rows.map(({ member }) => member.state)]
    }
    t.strictSame(after(picture, [3, 1, 2], 'not-there'), [['free'], ['member']])
    t.strictSame(after(picture, [3, 1, 2], ALL), [['free'], ['member']])
    t.strictSame(after(picture, [1, 2], 'not-there'), [[], []], 'it does not answer: it may come back')
    t.strictSame(after(picture, [3, 1, 2], ALL.slice(0, 2)), [[], []], 'the list says otherwise')
    const seen = withSlot(restored, suspect('found'))
    t.strictSame(after(seen, [3, 1, 2], 'not-there'), [[], []], 'there is a list, and it will say')
    const atWork = unasked(withSlot(restored, { ...suspect('found'), state: 'held' }))
    t.strictSame(after(atWork, [3, 1, 2], 'not-there'), [[], []], 'it is at work')
  },
)

t.test(
  'S13: without a list, a member that answers and said so in this boot is in, whatever became of its slot',
  async (t) => {
    const members = [voterNo(1), voterNo(2), voterNo(3, { state: 'lost' })]
    const listed = aPicture({ members, succeededSteps: new Set(['b3 chainfire-cluster-join']) })
    const said = unasked(listed)
    const after = (picture: ClusterPicture, healthy: readonly number[]) =>
      effectsOf(decideProbe(picture, aRound(picture, healthy, 'not-there')).effects, 'put-member').map(
        ({ member }) => [member.memberId, member.state],
      )
    t.strictSame(after(said, [1, 2, 3]), [['node03.1', 'member']])
    t.strictSame(after(said, [1, 2]), [], 'it does not answer')
    t.strictSame(after(listed, [1, 2, 3]), [], 'there is a list, and it will say')
    t.strictSame(after({ ...said, succeededSteps: new Set() }, [1, 2, 3]), [], 'it did not say so')
    const out = [voterNo(1), voterNo(2), voterNo(3, { state: 'removed' })]
    t.strictSame(after({ ...said, members: out }, [1, 2, 3]), [], 'an operator took it out by hand')
    const sized = (members_: ClusterPicture['members'], clusterSize: number) => {
      const picture = { ...said, members: members_ }
      const { chainfire, ...round } = aRound(picture, [1, 2, 3], 'not-there')
      const answers = chainfire.answers.map((answer) => ({ ...answer, clusterSize }))
      const { effects } = decideProbe(picture, { ...round, chainfire: { ...chainfire, answers } })
      return effectsOf(effects, 'put-member').map(({ member }) => [member.memberId, member.state])
    }
    t.strictSame(sized(out, 3), [['node03.1', 'member']], 'S8 freed its slot too early: it counts itself')
    t.strictSame(sized(out, 2), [], 'its group does not count it')
    const byWord = [voterNo(1), voterNo(2), voterNo(3, { state: 'joining', confirmedBy: 'report' })]
    t.strictSame(sized(byWord, 3), [['node03.1', 'member']])
    t.strictSame(sized(byWord, 2), [['node03.1', 'removed']], 'it says so, and its group does not count it')
    const older = [voterNo(1), voterNo(2), voterNo(3, { state: 'lost', bootId: 'b0' })]
    t.strictSame(after({ ...said, members: older }, [1, 2, 3]), [], 'that was another boot')
  },
)

t.test(
  'S10: slot free needs a suspect slot whose holder is silent, and says what may be half done',
  async (t) => {
    const picture = withSlot(aPicture({ members: joining, attempts: heard(61_000, 'b3') }), suspect())
    const { reply, effects } = decideSlotFree(picture, 'chainfire-cluster-join')
    t.match(reply, { kind: 'done', notes: [/node03\.1 may be in the group/] })
    t.match(effectsOf(effects, 'put-member'), [{ member: { state: 'lost' } }])
    const said = { ...picture, succeededSteps: new Set(['b3 chainfire-cluster-join']) }
    t.match(effectsOf(decideSlotFree(said, 'chainfire-cluster-join').effects, 'put-member'), [
      { member: { state: 'member' } },
    ])
    const founder = (picture_: ClusterPicture) =>
      effectsOf(
        decideSlotFree(withSlot(picture_, suspect('found')), 'chainfire-cluster-join').effects,
        'put-member',
      )
    t.match(
      founder(picture),
      [{ member: { state: 'member' } }],
      'the founder answers as a member of its group',
    )
    t.match(founder(unasked(picture)), [{ member: { state: 'lost' } }], 'nobody sees it')
    const founds = founding(picture, { state: 'granted' })
    t.match(founder(founds), [{ member: { state: 'lost' } }], 'it founds still, and asks its gate again')
    const active = withSlot(aPicture({ attempts: heard(59_000, 'b3') }), suspect())
    t.match(decideSlotFree(active, 'chainfire-cluster-join').reply, { code: 'holder-active' })
    t.match(decideSlotFree(aPicture(), 'chainfire-cluster-join').reply, { code: 'not-suspect' })
  },
)

t.test(
  'S11: an old member of a rebooted machine is removed when the list names it and the guard passes',
  async (t) => {
    const members = [voterNo(1), voterNo(2), voterNo(3, { state: 'lost' })]
    const picture = aPicture({ members })
    const { effects } = decideProbe(picture, aRound(picture, [1, 2], ALL))
    t.match(effectsOf(effects, 'put-member'), [{ member: { memberId: 'node03.1', state: 'removing' } }])
    t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'server', memberId: 'node03.1', slotNo: 8 } }])
  },
)

t.test(
  'S11: where the cluster has no call that removes members, none is begun, and no slot is taken',
  async (t) => {
    const settings = { servicesApi: { chainfire: { remove: null } } }
    const picture = aPicture({ members: [voterNo(1), voterNo(2), voterNo(3, { state: 'lost' })] })
    const without = { ...picture, cluster: { ...picture.cluster, settings } }
    const { effects } = decideProbe(without, aRound(without, [1, 2], ALL))
    t.strictSame(effectsOf(effects, 'put-member'), [])
    t.strictSame(effectsOf(effects, 'put-slot'), [])
    t.match(removeFromGroups(without, nodeNo(2), false), {
      code: 'removal-by-hand',
      cure: /member forget demo node02\.1/,
    })
  },
)

t.test(
  'S12: a removal counts when the list agrees, else the server keeps the slot and tries again',
  async (t) => {
    const slot = { ...suspect(), state: 'server', failures: 2 } as const
    const picture = withSlot(aPicture({ members: [voterNo(3, { state: 'removing' })] }), slot)
    const removal = { service: 'chainfire', memberId: 'node03.1', slotNo: 7 } as const
    const gone = decideRemovalResult(picture, removal, { kind: 'gone', listedStill: false })
    t.match(effectsOf(gone.effects, 'put-member'), [{ member: { state: 'removed' } }])
    t.match(effectsOf(gone.effects, 'put-slot'), [{ slot: { state: 'free' } }])
    for (const result of [
      { kind: 'gone', listedStill: true },
      { kind: 'failed', detail: 'timed out' },
    ] as const) {
      const again = decideRemovalResult(picture, removal, result)
      t.match(effectsOf(again.effects, 'put-slot'), [{ slot: { state: 'server', failures: 3 } }])
      t.ok(eventTypes(again.effects).includes('cluster.removal-fails'), 'the third time a person is called')
    }
    const other = decideRemovalResult(
      picture,
      { ...removal, slotNo: 6 },
      { kind: 'gone', listedStill: false },
    )
    t.strictSame(other.effects, [], 'a result of an older removal changes nothing')
  },
)

t.test('S14: in a lost, frozen or held cluster a round removes and frees nothing', async (t) => {
  const members = [voterNo(1), voterNo(2), voterNo(3, { state: 'lost' })]
  const held = aPicture({ members, cluster: { ...aPicture().cluster, held: true } })
  const { effects } = decideProbe(held, aRound(held, [1, 2], ALL))
  t.strictSame([...effectsOf(effects, 'put-slot'), ...effectsOf(effects, 'put-member')], [])
})

t.test('a holder that said it is a member, by a number that a restore overtook, has its word', async (t) => {
  const picture = { ...withSlot(aPicture({ members: joining }), { ...suspect('found'), state: 'held' }) }
  const said = { ...picture, succeededSteps: new Set(['b3 chainfire-cluster-join']) }
  const after = (from: typeof picture, listed: readonly string[] | 'not-there') => {
    const { effects } = decideProbe(from, aRound(from, [1, 2, 3], listed))
    const own = effectsOf(effects, 'put-slot').filter(({ slot }) => slot.step === 'chainfire-cluster-join')
    return [
      own.map(({ slot }) => slot.state),
      effectsOf(effects, 'put-member')
        .filter(({ member }) => member.machineId === 'm3' && member.service === 'chainfire')
        .map(({ member }) => member.state),
    ]
  }
  t.strictSame(after(picture, ALL), [[], []], 'it is at work')
  t.strictSame(after(said, ALL), [['free'], ['member']])
  t.strictSame(after(said, 'not-there'), [['free'], ['member']])
  t.strictSame(after(said, ALL.slice(0, 2)), [['suspect'], []], 'the list says otherwise')
})

t.test('F12: what a member of the group that was given up says is no word of the new one', async (t) => {
  const leader = (members: ClusterPicture['members']) => {
    const picture = founding(aPicture({ members }), { epoch: 3, nextEpoch: 4 })
    return decideProbe(picture, aRound(picture, [1], undefined)).reply.groups?.chainfire?.leaderUrl
  }
  const old = voterNo(1, { state: 'lost' })
  t.equal(leader([old]), undefined)
  t.equal(leader([old, voterNo(1, { epoch: 3, incarnation: 2 })]), 'https://10.77.0.11:2379')
  t.equal(leader([]), 'https://10.77.0.11:2379', 'one that nobody knows is looked into')
})

t.test('a member that a restore forgot, and that the list names, gets its row', async (t) => {
  const known = { members: [voterNo(1), voterNo(2)] }
  const rowsPut = (picture: ClusterPicture) =>
    effectsOf(decideProbe(picture, aRound(picture, [1, 2], ALL)).effects, 'put-member')
  const restored = founding(aPicture(known), { frozenBy: 'restore' })
  t.match(
    rowsPut(restored).filter(({ member }) => member.service === 'chainfire'),
    [
      {
        member: { memberId: 'node03.1', machineId: 'm3', state: 'member', voter: true, confirmedBy: 'list' },
      },
    ],
  )
  const unsent = voterNo(3, { state: 'removed', confirmedBy: 'report' })
  t.match(
    rowsPut(founding(aPicture({ members: [...known.members, unsent] }), { frozenBy: 'restore' })).filter(
      ({ member }) => member.service === 'chainfire',
    ),
    [{ member: { memberId: 'node03.1', state: 'member' } }],
    'freed unsent, and given again since the backup',
  )
  t.strictSame(rowsPut(aPicture(known)), [], 'without a restore every member has had its row')
})

t.test('F15: a restore ends the time in which a configuration could be asked for again', async (t) => {
  const attempts = [anAttempt({ bootId: 'b1', machineId: 'm1', status: 'current' })]
  const forgotten = (by: 'restore' | 'two-leaders') =>
    effectsOf(decideFreeze(aPicture({ attempts }), by).effects, 'forget-sealed-config')
  t.match(forgotten('restore'), [{ bootId: 'b1' }])
  t.strictSame(forgotten('two-leaders'), [])
})

t.test('arming a worker of a cluster with one voter in RAM is no end of the cluster', async (t) => {
  const cluster = { ...aPicture().cluster, stateKind: 'ephemeral' } as const
  const members = [voterNo(1), voterNo(3, { voter: false })]
  const worker = nodeNo(3, { role: 'worker' })
  const picture = { ...aPicture({ members, machines: [nodeNo(1), worker] }), cluster }
  const arm = (machine: typeof worker) =>
    decideArm(
      {
        nowMs: NOW,
        machine: { ...machine, state: 'enrolled' },
        picture,
        addresses: 'ours',
        freeBytes: 1e12,
        image: anImage(),
        imageLimits: DEFAULT_IMAGE_LIMITS,
      },
      60,
    ).reply
  t.match(arm(nodeNo(1)), { code: 'sole-member' })
  t.not((arm(worker) as { code?: string }).code, 'sole-member')
})

t.test(
  'an arm ends a hold of the server itself: a release alone would be held again at the next poll',
  async (t) => {
    const arm = (changes: Parameters<typeof nodeNo>[1]) => {
      const silent = { ...aPicture(), nowMs: NOW + 60_000 }
      const machine = nodeNo(2, { state: 'held', ...changes })
      const image = { image: anImage(), imageLimits: DEFAULT_IMAGE_LIMITS }
      return decideArm(
        { nowMs: silent.nowMs, machine, picture: silent, addresses: 'ours', freeBytes: 1e12, ...image },
        60,
      )
    }
    for (const holdReason of ['boot-loop', 'identity'] as const) {
      const { reply, effects } = arm({ holdReason, holdStep: 'iam-initial-setup' })
      t.match(reply, { kind: 'done' }, holdReason)
      t.strictSame(effectsOf(effects, 'hold-machine'), [
        { kind: 'hold-machine', machineId: 'm2', step: 'iam-initial-setup' },
      ])
      t.match(effectsOf(effects, 'set-machine-state'), [{ state: 'armed' }])
    }
    t.match(arm({ holdReason: 'operator' }).reply, { code: 'machine-held' })
    t.match(arm({ holdReason: 'fenced' }).reply, { code: 'fenced' })
  },
)

t.test('the quorum guard counts what is seen within 10 s, and refuses when it sees nothing', async (t) => {
  t.match(quorumGuard(aPicture(), 'chainfire', 'm3', 'up'), { passes: true, voters: 3, healthy: 2 })
  t.match(quorumGuard(aPicture(), 'chainfire', 'm3', 'down'), { passes: true })
  const armed = aPicture({ machines: [nodeNo(1), nodeNo(2, { state: 'armed' }), nodeNo(3)] })
  t.match(quorumGuard(armed, 'chainfire', 'm3', 'up'), { passes: false, healthy: 1 })
  const late = { ...aPicture(), nowMs: NOW + 9_001 }
  t.match(quorumGuard(late, 'chainfire', 'm3', 'up'), { passes: false, isBlind: true })
  t.match(beginRemoval(late, 'chainfire', voterNo(3), 'up'), { kind: 'refused', why: 'quorum' })
  t.match(beginRemoval(late, 'chainfire', voterNo(3), 'up', { isForced: true }), { kind: 'begun' }, 'forced')
})

t.test('404 on the first list means that there is none; later it is only no answer', async (t) => {
  const fresh = aPicture({ cluster: aFoundedCluster({ probe: {} }) })
  const first = decideProbe(fresh, aRound(fresh, [1, 2], 'not-there'))
  t.equal(first.reply.groups?.chainfire?.list, 'absent')
  const later = decideProbe(aPicture(), aRound(aPicture(), [1, 2], 'not-there'))
  t.equal(later.reply.groups?.chainfire?.list, 'there')
  t.equal(later.reply.groups?.chainfire?.listed, undefined, 'and never an empty list')
})

t.test('member forget refuses what is listed, what cannot be asked, and the last voter', async (t) => {
  const lost = [voterNo(1), voterNo(2), voterNo(3, { state: 'lost' })]
  const listed = (ids: readonly string[] | undefined) => {
    const picture = aPicture({ members: lost })
    const groups = picture.cluster.probe.groups ?? {}
    const { listed: _none, ...facts } = groups.chainfire ?? never()
    const chainfire = ids === undefined ? facts : { ...facts, listed: ids }
    return { ...picture, cluster: { ...picture.cluster, probe: { groups: { ...groups, chainfire } } } }
  }
  t.match(decideMemberForget(listed(ALL), 'node03.1', true).reply, { code: 'still-listed' })
  t.match(decideMemberForget(listed(undefined), 'node03.1', false).reply, { code: 'list-unreachable' })
  t.match(decideMemberForget(listed(undefined), 'node03.1', true).reply, { kind: 'done' })
  t.match(decideMemberForget(listed(['node01.1', 'node02.1']), 'node03.1', false).reply, { kind: 'done' })
  const known = [voterNo(1), voterNo(2), voterNo(3, { state: 'lost', confirmedBy: 'report' })]
  const forgotten = decideMemberForget(aPicture({ members: known }), 'node03.1', true)
  const [put] = effectsOf(forgotten.effects, 'put-member')
  t.match(put, { member: { state: 'removed' } })
  t.equal(put?.member.confirmedBy, undefined, 'its report that it is in does not say that it was never sent')
  const last = aPicture({ members: [voterNo(1, { state: 'lost' })] })
  t.match(decideMemberForget(last, 'node01.1', true).reply, { code: 'sole-member' })
})

t.test('member forget takes the remains of a FlareDB that never began with those of Chainfire', async (t) => {
  const members = [
    voterNo(1, { state: 'lost' }),
    voterNo(1, { service: 'flaredb', state: 'lost' }),
    voterNo(2),
    voterNo(3),
  ]
  const row = { clusterId: 'c1', service: 'flaredb', epoch: 1, machineId: 'm1' } as const
  const forget = (state: 'granted' | 'done') =>
    decideMemberForget(aPicture({ members, serviceFoundings: [{ ...row, state }] }), 'node01.1', true)
  t.match(forget('granted').reply, { kind: 'done' }, 'its founder never said that it is founded')
  t.strictSame(
    effectsOf(forget('granted').effects, 'put-member').map(({ member }) => [member.service, member.state]),
    [
      ['chainfire', 'removed'],
      ['flaredb', 'removed'],
    ],
  )
  t.match(forget('done').reply, { code: 'sole-member' }, 'founded, and its only voter is lost')
})

function never(): never {
  throw new Error('the picture has no facts')
}

t.test('FlareDB moves from a dead first machine to a voter of Chainfire, and fences the first', async (t) => {
  const row = { clusterId: 'c1', service: 'flaredb', state: 'granted', epoch: 1, machineId: 'm1' } as const
  const members = [voterNo(1), voterNo(2), voterNo(1, { service: 'flaredb', state: 'joining' })]
  const silent = [...heard(61_000), ...heard(61_000, 'b2')]
  const led = aPicture({ members, serviceFoundings: [row], attempts: silent })
  t.match(decideFlaredbMove(led, { to: nodeNo(2), isHolderOff: false }).reply, { code: 'already-founded' })
  const groups = {
    ...led.cluster.probe.groups,
    flaredb: aGroup({ result: 'no-leader', healthyMachineIds: [] }),
  }
  const picture = { ...led, cluster: { ...led.cluster, probe: { ...led.cluster.probe, groups } } }
  const { reply, effects } = decideFlaredbMove(picture, { to: nodeNo(2), isHolderOff: false })
  t.match(reply, { kind: 'done' })
  t.match(effectsOf(effects, 'put-service-founding'), [{ row: { state: 'granted', machineId: 'm2' } }])
  t.match(effectsOf(effects, 'bind-attempt-epoch'), [{ bootId: 'b1', epoch: 0 }], 'stale at once')
  const wish = { to: nodeNo(3), isHolderOff: false }
  t.match(decideFlaredbMove(picture, wish).reply, { code: 'not-chainfire-member' })
  t.match(decideFlaredbMove(aPicture(), wish).reply, { code: 'already-founded' })
  const active = { ...picture, attempts: heard(1000) }
  t.match(decideFlaredbMove(active, { to: nodeNo(2), isHolderOff: false }).reply, { code: 'holder-active' })
})

t.test('FlareDB is not given away while a member of it may live where nobody looked', async (t) => {
  const row = { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1, machineId: 'm1' } as const
  const flaredb = [voterNo(1, { service: 'flaredb' }), voterNo(2, { service: 'flaredb', state: 'lost' })]
  const picture = aPicture({ members: [voterNo(1), voterNo(2), ...flaredb], serviceFoundings: [row] })
  const move = (seen: readonly string[], isHolderOff = false, leads: Partial<GroupFacts> = {}) => {
    const groups = {
      ...picture.cluster.probe.groups,
      flaredb: aGroup({ result: 'no-leader', healthyMachineIds: seen, ...leads }),
    }
    const { probe } = picture.cluster
    const dark = { ...picture, cluster: { ...picture.cluster, probe: { ...probe, groups } } }
    return decideFlaredbMove(dark, { to: nodeNo(2), isHolderOff }).reply
  }
  t.match(move([]), { code: 'state-may-exist' }, 'unreachable is not gone (invariant 12)')
  t.match(move(['m2']), { code: 'state-may-exist' }, 'another that answers says nothing of it')
  t.match(move(['m1']), { kind: 'done' }, 'it is seen, and does not lead')
  t.match(move([], true), { kind: 'done' }, 'the operator says that they are off')
  const leads = { leaderUrl: 'https://10.77.0.11:2479' }
  t.match(
    move(['m1'], true, leads),
    { code: 'already-founded' },
    'it leads: the lost one may never have got in',
  )
})

t.test(
  'after a restore FlareDB is founded anew: whoever had a row of the one before is out of it',
  async (t) => {
    const members = [voterNo(1), voterNo(2), voterNo(3), voterNo(3, { service: 'flaredb' })]
    const picture = aPicture({ members, serviceFoundings: [] })
    const move = (seen: readonly string[], leads: Partial<GroupFacts> = {}, isHolderOff = false) => {
      const flaredb = aGroup({ result: 'no-leader', healthyMachineIds: seen, ...leads })
      const probe = { ...picture.cluster.probe, groups: { ...picture.cluster.probe.groups, flaredb } }
      const dark = { ...picture, cluster: { ...picture.cluster, probe } }
      return decideFlaredbMove(dark, { to: nodeNo(1), isHolderOff })
    }
    t.match(move([]).reply, { code: 'state-may-exist' }, 'it does not answer, and may live')
    t.match(move(['m3'], { leaderUrl: 'https://10.77.0.13:2479' }).reply, { code: 'already-founded' })
    for (const { reply, effects } of [move(['m3']), move([], {}, true)]) {
      t.match(reply, { kind: 'done', notes: [/node01 founds/, /until they boot again/] })
      t.match(effectsOf(effects, 'put-member'), [{ member: { memberId: 'node03.1', state: 'removed' } }])
    }
  },
)
