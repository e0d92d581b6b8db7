import t from 'tap'
import { decideGate } from '../../../src/policy/first-boot/decide-gate.ts'
import type { GateRequest, GateSnapshot, Waiting } from '../../../src/policy/first-boot/gate-snapshot.ts'
import {
  aCluster,
  aFoundedCluster,
  aFounding,
  aMachine,
  aMember,
  anAttempt,
  aProbe,
  aSlot,
  effectsOf,
  ip,
  NOW,
  succeeded,
} from '../../support/builders.ts'

const chainfire: GateRequest = { step: 'chainfire-cluster-join', marker: '' }
const flaredb: GateRequest = { step: 'flaredb-cluster-join', marker: '' }
const iam: GateRequest = { step: 'iam-initial-setup', marker: '' }
const granted = aFounding({
  state: 'granted',
  epoch: 1,
  nextEpoch: 2,
  holderMachineId: 'm1',
  holderBootId: 'b1',
})

function snapshot(changes: Partial<GateSnapshot> = {}): GateSnapshot {
  return {
    nowMs: NOW,
    machine: aMachine({ state: 'first-boot', currentBootId: 'b1' }),
    attempt: anAttempt({ status: 'current', stage: 'config-redeemed' }),
    cluster: aCluster({ founding: granted }),
    steps: [],
    slot: aSlot('chainfire-cluster-join'),
    slots: [],
    queue: [],
    members: [],
    passes: [],
    serviceFoundings: [],
    address: ip('10.77.0.11'),
    configuredFor: 'c1',
    freshPassword: 'fresh-password',
    ...changes,
  }
}

/** The second machine of a founded cluster, waiting to join. */
function joiner(changes: Partial<GateSnapshot> = {}): GateSnapshot {
  return snapshot({
    machine: aMachine({ id: 'm2', name: 'node02', state: 'first-boot', currentBootId: 'b2' }),
    attempt: anAttempt({ bootId: 'b2', machineId: 'm2', status: 'current' }),
    cluster: aFoundedCluster(),
    members: [aMember()],
    address: ip('10.77.0.12'),
    ...changes,
  })
}

function waiting(changes: Partial<Waiting>): Waiting {
  return {
    clusterId: 'c1',
    step: 'chainfire-cluster-join',
    machineId: 'm3',
    bootId: 'b3',
    arrivedSeq: 1,
    role: 'control-plane',
    isHolder: false,
    heardAtMs: NOW - 1000,
    ...changes,
  }
}

t.test('S1: the founder takes the slot at once and is told to found', async (t) => {
  const { reply, effects } = decideGate(snapshot(), chainfire)
  t.match(reply, {
    kind: 'open',
    action: 'found',
    slotNo: 1,
    epoch: 1,
    memberId: 'node01.1',
    leaderUrl: null,
  })
  t.match(effectsOf(effects, 'put-slot'), [
    { slot: { state: 'held', bootId: 'b1', slotNo: 1, action: 'found' } },
  ])
  t.match(effectsOf(effects, 'put-member'), [
    { member: { memberId: 'node01.1', state: 'joining', voter: true } },
  ])
})

t.test('nobody else passes before the cluster is founded, and is queued once', async (t) => {
  const early = joiner({ cluster: aCluster({ founding: granted }), members: [] })
  const first = decideGate(early, chainfire)
  t.match(first.reply, { kind: 'shut', reason: 'not-founded' })
  t.match(effectsOf(first.effects, 'queue-for-slot'), [{ entry: { machineId: 'm2', bootId: 'b2' } }])
  const again = decideGate({ ...early, queue: [waiting({ machineId: 'm2', bootId: 'b2' })] }, chainfire)
  t.strictSame(effectsOf(again.effects, 'queue-for-slot'), [])
})

t.test('S1: a machine joins the leader of now, and its boot is bound to the epoch', async (t) => {
  const { reply, effects } = decideGate(
    joiner({ slot: aSlot('chainfire-cluster-join', { slotNo: 1 }) }),
    chainfire,
  )
  t.match(reply, {
    kind: 'open',
    action: 'join',
    slotNo: 2,
    memberId: 'node02.1',
    leaderUrl: 'https://10.77.0.11:2379',
    voter: true,
  })
  t.match(effectsOf(effects, 'bind-attempt-epoch'), [{ bootId: 'b2', epoch: 1 }])
})

t.test('S2: while one machine holds the slot, others wait and learn their place', async (t) => {
  const slot = aSlot('chainfire-cluster-join', { state: 'held', machineId: 'm3', bootId: 'b3', slotNo: 2 })
  const queue = [
    waiting({ machineId: 'm4', bootId: 'b4', arrivedSeq: 1 }),
    waiting({ machineId: 'm2', bootId: 'b2', arrivedSeq: 2 }),
  ]
  const { reply, effects } = decideGate(joiner({ slot, queue }), chainfire)
  t.match(reply, { kind: 'shut', reason: 'waiting-for-slot', place: 2 })
  t.strictSame(effectsOf(effects, 'put-slot'), [])
})

t.test('S3: the holder asks again and hears the same number, with the leader of now', async (t) => {
  const slot = aSlot('chainfire-cluster-join', {
    state: 'held',
    machineId: 'm2',
    bootId: 'b2',
    slotNo: 2,
    memberId: 'node02.1',
    action: 'join',
    epoch: 1,
  })
  const cluster = aFoundedCluster({ probe: aProbe({ leaderUrl: 'https://10.77.0.13:2379' }) })
  const { reply, effects } = decideGate(joiner({ slot, cluster }), chainfire)
  t.match(reply, {
    kind: 'open',
    action: 'join',
    slotNo: 2,
    memberId: 'node02.1',
    leaderUrl: 'https://10.77.0.13:2379',
  })
  t.strictSame(effectsOf(effects, 'put-member'), [], 'nothing is granted twice')
  t.match(effectsOf(effects, 'put-slot'), [{ slot: { slotNo: 2, heardAtMs: NOW, noted: 'told-again' } }])
})

t.test('the queue goes by role and arrival, and passes over those who stopped asking', async (t) => {
  const before = waiting({ machineId: 'm3', arrivedSeq: 1 })
  t.match(decideGate(joiner({ queue: [before] }), chainfire).reply, {
    kind: 'shut',
    reason: 'waiting-for-slot',
    place: 2,
  })
  const gone = { ...before, heardAtMs: NOW - 90_001 }
  t.match(decideGate(joiner({ queue: [gone] }), chainfire).reply, { kind: 'open' })
  const worker = { ...before, role: 'worker' as const }
  t.match(
    decideGate(joiner({ queue: [worker] }), chainfire).reply,
    { kind: 'open' },
    'control plane before workers',
  )
})

t.test('no leader, an old one, or two of them: nobody joins', async (t) => {
  const probes = [
    {},
    aProbe({ result: 'no-leader' }),
    aProbe({ result: 'two-leaders' }),
    aProbe({ result: 'unreachable' }),
    aProbe({ atMs: NOW - 30_001 }),
  ]
  for (const probe of probes) {
    t.match(decideGate(joiner({ cluster: aFoundedCluster({ probe }) }), chainfire).reply, {
      kind: 'shut',
      reason: 'no-leader',
    })
  }
})

t.test('a member with the marker of its own row resumes without a slot or a leader', async (t) => {
  const cluster = aFoundedCluster({ probe: {} })
  const members = [aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0' })]
  const slot = aSlot('chainfire-cluster-join', { state: 'held', machineId: 'm3', bootId: 'b3', slotNo: 2 })
  const own = decideGate(joiner({ cluster, members, slot }), { ...chainfire, marker: 'c1:1:node02.1' })
  t.match(own.reply, { kind: 'open', action: 'resume', memberId: 'node02.1' })
  for (const marker of ['c1:1:node01.1', 'c9:1:node02.1', '']) {
    t.match(
      decideGate(joiner({ cluster, members, slot }), { ...chainfire, marker }).reply,
      { kind: 'shut' },
      marker,
    )
  }
})

t.test('a worker follows once there is a leader, and takes no slot', async (t) => {
  const machine = aMachine({
    id: 'm2',
    name: 'node02',
    role: 'worker',
    state: 'first-boot',
    currentBootId: 'b2',
  })
  const slot = aSlot('chainfire-cluster-join', { state: 'held', machineId: 'm3', bootId: 'b3', slotNo: 2 })
  const { reply, effects } = decideGate(joiner({ machine, slot }), chainfire)
  t.match(reply, { kind: 'open', action: 'join', voter: false })
  t.strictSame(effectsOf(effects, 'put-slot'), [])
})

t.test('FlareDB is founded by the founder, once; others join after that', async (t) => {
  const steps = [succeeded('chainfire-cluster-join')]
  const founder = snapshot({
    cluster: aFoundedCluster(),
    members: [aMember()],
    steps,
    slot: aSlot('flaredb-cluster-join'),
  })
  const first = decideGate(founder, flaredb)
  t.match(first.reply, { kind: 'open', action: 'found', memberId: 'node01.1' })
  t.match(effectsOf(first.effects, 'put-service-founding'), [
    { row: { service: 'flaredb', state: 'granted', machineId: 'm1', epoch: 1 } },
  ])

  const other = joiner({
    cluster: aFoundedCluster({ probe: aProbe({}, { leaderUrl: 'https://10.77.0.11:2479' }) }),
    steps: [succeeded('chainfire-cluster-join', { bootId: 'b2' })],
    slot: aSlot('flaredb-cluster-join'),
    holderHeardAtMs: NOW - 1000,
  })
  t.match(decideGate(other, flaredb).reply, { kind: 'shut', reason: 'not-founded' })
  const done = { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1, machineId: 'm1' } as const
  const members = [aMember(), aMember({ service: 'flaredb' })]
  const joins = decideGate({ ...other, serviceFoundings: [done], members }, flaredb)
  t.match(joins.reply, { kind: 'open', action: 'join', leaderUrl: 'https://10.77.0.11:2479' })
})

t.test('who may not found FlareDB does not keep its place in line from those who may', async (t) => {
  const founded = aFoundedCluster({ probe: aProbe({ leaderUrl: 'https://10.77.0.11:2379' }) })
  const { holderMachineId: _, holderBootId: __, ...founding } = founded.founding
  const cluster = { ...founded, founding }
  const stands: Waiting = {
    clusterId: 'c1',
    step: 'flaredb-cluster-join',
    machineId: 'm1',
    bootId: 'b1',
    arrivedSeq: 1,
    role: 'control-plane',
    isHolder: false,
    heardAtMs: NOW - 1000,
  }
  const member = joiner({
    cluster,
    steps: [succeeded('chainfire-cluster-join', { bootId: 'b2' })],
    slot: aSlot('flaredb-cluster-join'),
    members: [aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b2' })],
    queue: [stands],
  })
  t.match(
    decideGate(member, flaredb).reply,
    { kind: 'open', action: 'found' },
    'node01 has no row since a restore',
  )
  const both = { ...member, members: [...member.members, aMember()] }
  t.match(
    decideGate(both, flaredb).reply,
    { kind: 'shut', reason: 'waiting-for-slot' },
    'it came first, and may',
  )
})

t.test(
  'after a restore nobody founds FlareDB by himself: its members are seen, or an operator says who',
  async (t) => {
    const restored = aFoundedCluster()
    const founder = snapshot({
      cluster: { ...restored, founding: { ...restored.founding, frozenBy: 'restore' } },
      members: [aMember()],
      steps: [succeeded('chainfire-cluster-join')],
      slot: aSlot('flaredb-cluster-join'),
    })
    t.match(decideGate(founder, flaredb).reply, {
      kind: 'shut',
      reason: 'flaredb-unknown',
      detail: /founding move demo --service flaredb --to node01/,
    })
    const other = [aMember({ machineId: 'm2', memberId: 'node02.1' })]
    t.match(
      decideGate({ ...founder, members: other }, flaredb).reply,
      { reason: 'flaredb-unknown', detail: /--service flaredb --to node02/ },
      'its own row of Chainfire is forgotten: a move to it would be refused',
    )
    const unknown = { ...founder, members: [] }
    t.match(
      decideGate(unknown, flaredb).reply,
      { reason: 'flaredb-unknown', detail: /machine arm node01 and boot it again/ },
      'nobody has a row: its data will tell',
    )
    const moved = {
      clusterId: 'c1',
      service: 'flaredb',
      state: 'granted',
      epoch: 1,
      machineId: 'm1',
    } as const
    t.match(decideGate({ ...founder, serviceFoundings: [moved] }, flaredb).reply, {
      kind: 'open',
      action: 'found',
    })
  },
)

t.test('a former self that an operator must remove is named before the leader that it hides', async (t) => {
  const cluster = aFoundedCluster({ probe: aProbe({ result: 'no-leader', list: 'absent' }) })
  const members = [aMember(), aMember({ machineId: 'm2', memberId: 'node02.1', state: 'lost', bootId: 'b0' })]
  t.match(decideGate(joiner({ cluster, members }), chainfire).reply, {
    kind: 'shut',
    reason: 'remove-by-hand',
    detail: /member forget demo node02\.1/,
  })
})

t.test(
  'a former self that is listed, where no call removes members, is an operator’s to remove',
  async (t) => {
    const probe = aProbe({ list: 'there', listed: ['node01.1', 'node02.1'] })
    const settings = { servicesApi: { chainfire: { remove: null } } }
    const members = [
      aMember(),
      aMember({ machineId: 'm2', memberId: 'node02.1', state: 'lost', bootId: 'b0' }),
    ]
    const reasonFor = (changes: object) =>
      decideGate(joiner({ cluster: aFoundedCluster({ probe, ...changes }), members }), chainfire).reason
    t.equal(reasonFor({}), 'old-member-listed')
    t.equal(reasonFor({ settings }), 'remove-by-hand')
  },
)

t.test('a replacement of the same name joins under an id that the machine before it never had', async (t) => {
  const replaced = {
    machineId: 'm9',
    memberId: 'node02.1',
    incarnation: 1,
    bootId: 'b9',
    state: 'removed',
  } as const
  const probe = aProbe({ list: 'there', listed: ['node01.1'] })
  const members = [aMember(), aMember(replaced)]
  const { reply } = decideGate(joiner({ cluster: aFoundedCluster({ probe }), members }), chainfire)
  t.match(
    reply,
    { kind: 'open', action: 'join', memberId: 'node02.2' },
    'by the old one it would be removed again',
  )
})

t.test('IAM is set up once, with one password however often it is tried; later machines skip', async (t) => {
  const steps = [succeeded('chainfire-cluster-join'), succeeded('flaredb-cluster-join')]
  const done = { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1 } as const
  const first = snapshot({
    cluster: aFoundedCluster(),
    steps,
    serviceFoundings: [done],
    slot: aSlot('iam-initial-setup'),
  })
  const setup = decideGate(first, iam)
  t.match(setup.reply, { action: 'setup', secret: { admin_user: 'admin', admin_password: 'fresh-password' } })
  t.match(effectsOf(setup.effects, 'put-cluster-secret'), [{ text: 'fresh-password' }])
  t.notMatch(JSON.stringify(effectsOf(setup.effects, 'append-event')), /fresh-password/)
  const again = decideGate({ ...first, adminPassword: 'the-first-one' }, iam)
  t.match(again.reply, { secret: { admin_password: 'the-first-one' } })
  t.strictSame(effectsOf(again.effects, 'put-cluster-secret'), [])
  const iamDone = { clusterId: 'c1', service: 'iam', state: 'done', epoch: 1 } as const
  t.match(decideGate({ ...first, serviceFoundings: [done, iamDone] }, iam).reply, {
    kind: 'open',
    action: 'skip',
  })
})

t.test('no step passes before the one ahead of it', async (t) => {
  const cluster = aFoundedCluster()
  t.match(decideGate(snapshot({ cluster }), flaredb).reply, { kind: 'shut', reason: 'earlier-step' })
  t.match(decideGate(snapshot({ cluster, steps: [succeeded('chainfire-cluster-join')] }), iam).reply, {
    reason: 'earlier-step',
  })
})

t.test('what is held, frozen or lost grants nothing', async (t) => {
  const shut = (changes: Partial<GateSnapshot>) => decideGate(snapshot(changes), chainfire)
  for (const decision of [
    shut({ cluster: aCluster({ founding: granted, held: true }) }),
    shut({ machine: aMachine({ state: 'held', currentBootId: 'b1' }) }),
    shut({ cluster: aCluster({ founding: { ...granted, state: 'frozen' } }) }),
    shut({ cluster: aCluster({ founding: { ...granted, state: 'lost' } }) }),
  ]) {
    t.equal(decision.reply.kind, 'shut')
    t.strictSame(effectsOf(decision.effects, 'put-slot'), [])
  }
})

t.test('a boot that another followed, or of another epoch, is stale and changes nothing', async (t) => {
  const cases: Partial<GateSnapshot>[] = [
    { attempt: anAttempt({ status: 'superseded' }) },
    { machine: aMachine({ currentBootId: 'b2' }) },
    { attempt: anAttempt({ status: 'current', passEpoch: 7 }) },
  ]
  for (const changes of cases) {
    const { reply, effects } = decideGate(snapshot(changes), chainfire)
    t.equal(reply.kind, 'stale')
    t.strictSame(effects, [])
  }
})

t.test(
  'a machine whose role runs no IAM skips its set-up; the cluster may say what its roles run',
  async (t) => {
    const steps = [
      succeeded('chainfire-cluster-join', { bootId: 'b2' }),
      succeeded('flaredb-cluster-join', { bootId: 'b2' }),
    ]
    const worker = aMachine({ id: 'm2', role: 'worker', state: 'first-boot', currentBootId: 'b2' })
    const slot = aSlot('iam-initial-setup')
    const asWorker = joiner({ machine: worker, steps, slot })
    t.match(decideGate(asWorker, iam).reply, { kind: 'open', action: 'skip', slotNo: 0 })
    const runsIam = aFoundedCluster({ settings: { services: { worker: ['chainfire', 'flaredb', 'iam'] } } })
    t.match(decideGate({ ...asWorker, cluster: runsIam }, iam).reply, { kind: 'shut', reason: 'not-founded' })
    const allInOne = aMachine({ ...worker, role: 'all-in-one' })
    t.match(decideGate({ ...asWorker, machine: allInOne }, iam).reply, {
      kind: 'shut',
      reason: 'not-founded',
    })
  },
)

t.test('an all-in-one machine joins with a vote, a worker without', async (t) => {
  const member = { state: 'first-boot', currentBootId: 'b2', id: 'm2' } as const
  const allInOne = joiner({ machine: aMachine({ ...member, role: 'all-in-one' }) })
  t.match(decideGate(allInOne, chainfire).reply, { kind: 'open', action: 'join', voter: true, slotNo: 1 })
  const worker = joiner({ machine: aMachine({ ...member, role: 'worker' }) })
  t.match(decideGate(worker, chainfire).reply, { kind: 'open', action: 'join', voter: false, slotNo: 0 })
})

t.test('a gate asked again after its step succeeded grants nothing more', async (t) => {
  const done = snapshot({ cluster: aFoundedCluster(), steps: [succeeded('chainfire-cluster-join')] })
  const { reply, effects } = decideGate(done, chainfire)
  t.match(reply, { kind: 'open', action: 'skip' })
  t.strictSame(effectsOf(effects, 'put-slot'), [])
})

t.test(
  'F9: a member that comes to the gate without its data has lost it, and joins under a fresh id',
  async (t) => {
    const members = [aMember(), aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0' })]
    const listed = ['node01.1', 'node02.1']
    const cluster = aFoundedCluster({ probe: aProbe({ list: 'there', listed }) })
    const { reply, effects } = decideGate(joiner({ members, cluster }), chainfire)
    t.match(effectsOf(effects, 'put-member'), [{ member: { memberId: 'node02.1', state: 'lost' } }])
    t.match(reply, { kind: 'shut', reason: 'old-member-listed' }, 'its former self goes first')
    const gone = aFoundedCluster({ probe: aProbe({ list: 'there', listed: ['node01.1'] }) })
    const out = [
      aMember(),
      aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0', state: 'removed' }),
    ]
    t.match(decideGate(joiner({ members: out, cluster: gone }), chainfire).reply, { memberId: 'node02.2' })
  },
)

t.test('after a restore a younger epoch is no foreign data: who is not listed sets it aside', async (t) => {
  const probe = aProbe({ list: 'there', listed: ['node01.1'] })
  const { founding } = aFoundedCluster()
  const restored = { ...founding, frozenBy: 'restore', incarnationFloor: 1000 } as const
  const ask = (known: typeof founding) =>
    decideGate(joiner({ cluster: aFoundedCluster({ probe, founding: known }) }), {
      ...chainfire,
      marker: 'c1:9:node02.7',
    }).reply
  t.match(ask(restored), { kind: 'open', action: 'set-aside' })
  t.match(ask(founding), { kind: 'shut', reason: 'foreign-data' })
})

t.test(
  'after a restore an id that was freed unsent may have been given again: its data is a member',
  async (t) => {
    const { founding } = aFoundedCluster()
    const restored = { ...founding, frozenBy: 'restore', incarnationFloor: 1000 } as const
    const row = aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0', state: 'removed' })
    const ask = (confirmedBy: 'report' | undefined, known: typeof founding) => {
      const members = [aMember(), confirmedBy === undefined ? row : { ...row, confirmedBy }]
      const cluster = aFoundedCluster({ founding: known })
      return decideGate(joiner({ members, cluster }), { ...chainfire, marker: 'c1:1:node02.1' }).reply
    }
    t.match(ask('report', restored), { action: 'resume', memberId: 'node02.1' })
    t.match(ask(undefined, restored), { action: 'set-aside' }, 'it was in, and is out')
    t.match(ask('report', founding), { action: 'set-aside' }, 'nothing is forgotten')
  },
)

t.test(
  'FlareDB that was founded anew since a restore: what a machine keeps of the one before is set aside',
  async (t) => {
    const { founding } = aFoundedCluster()
    const restored = { ...founding, frozenBy: 'restore', incarnationFloor: 1000 } as const
    const ask = (slotNo: number | undefined) => {
      const row = { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1, machineId: 'm1' } as const
      const asker = joiner({
        cluster: aFoundedCluster({ founding: restored }),
        steps: [succeeded('chainfire-cluster-join', { bootId: 'b2' })],
        slot: aSlot('flaredb-cluster-join'),
        serviceFoundings: [slotNo === undefined ? row : { ...row, slotNo }],
      })
      return decideGate(asker, { ...flaredb, marker: 'c1:1:node02.1' }).reply
    }
    t.match(ask(1001), { action: 'set-aside' }, 'by an operator, who gave the other up')
    t.match(ask(1), { action: 'resume', memberId: 'node02.1' }, 'founded before: a member that is forgotten')
    t.match(ask(undefined), { action: 'resume', memberId: 'node02.1' }, 'seen leading')
  },
)

t.test(
  'after a restore, data of a later id says that the earlier ones of its machine are out of the group',
  async (t) => {
    const { founding } = aFoundedCluster()
    const restored = { ...founding, frozenBy: 'restore', incarnationFloor: 1000 } as const
    const own = (state: 'member' | 'lost') =>
      aMember({ machineId: 'm2', memberId: 'node02.1', service: 'flaredb', bootId: 'b0', state })
    const after = (state: 'member' | 'lost', marker: string) => {
      const asker = joiner({
        cluster: aFoundedCluster({ founding: restored, stateKind: 'persistent' }),
        steps: [succeeded('chainfire-cluster-join', { bootId: 'b2' })],
        slot: aSlot('flaredb-cluster-join'),
        members: [own(state)],
        serviceFoundings: [
          { clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1, machineId: 'm1', slotNo: 1 },
        ],
      })
      const { effects } = decideGate(asker, { ...flaredb, marker })
      const rows = effectsOf(effects, 'put-member').map(
        ({ member }) => [member.memberId, member.state] as const,
      )
      return Object.fromEntries(rows)
    }
    for (const state of ['member', 'lost'] as const)
      t.strictSame(after(state, 'c1:1:node02.2'), { 'node02.1': 'removed', 'node02.2': 'member' }, state)
  },
)

t.test(
  'a founder whose slot was freed is told the id of before in the same boot, a new one in the next',
  async (t) => {
    const found = (bootId: string) =>
      decideGate(
        snapshot({
          slot: aSlot('chainfire-cluster-join', { slotNo: 1 }),
          members: [aMember({ bootId, state: 'lost' })],
        }),
        chainfire,
      )
    const { reply, effects } = found('b1')
    t.match(
      reply,
      { kind: 'open', action: 'found', slotNo: 2, memberId: 'node01.1' },
      'it may have founded by it',
    )
    t.match(effectsOf(effects, 'put-member').at(-1), { member: { memberId: 'node01.1', state: 'joining' } })
    t.match(found('b0').reply, { action: 'found', memberId: 'node01.2' })
  },
)

t.test(
  'who was never seen in is given the same id in the same boot: it may act on its first answer still',
  async (t) => {
    const asked = (row: Parameters<typeof aMember>[0]) =>
      decideGate(
        joiner({
          cluster: aFoundedCluster({ probe: aProbe({ leaderUrl: 'https://10.77.0.11:2379' }) }),
          members: [aMember(), aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b2', ...row })],
        }),
        chainfire,
      ).reply
    t.match(asked({ state: 'removed', confirmedBy: 'list' }), { action: 'join', memberId: 'node02.1' })
    t.match(asked({ state: 'removed', confirmedBy: 'report' }), { memberId: 'node02.1' }, 'given back unsent')
    t.match(asked({ state: 'removed' }), { memberId: 'node02.2' }, 'it was in, and its data is set aside')
    t.match(asked({ state: 'removed', confirmedBy: 'list', bootId: 'b0' }), { memberId: 'node02.2' })
  },
)

t.test('a boot that was configured for another cluster opens no gate of this one', async (t) => {
  const { reply, effects } = decideGate(joiner({ configuredFor: 'c0' }), chainfire)
  t.strictSame(reply, { kind: 'stale', reason: 'stale-cluster' })
  t.strictSame(effects, [])
})

t.test('a member on its way out waits with its data, and has lost it when it comes without', async (t) => {
  const members = [
    aMember(),
    aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0', state: 'removing' }),
  ]
  const withData = decideGate(joiner({ members }), { ...chainfire, marker: 'c1:1:node02.1' })
  t.match(withData.reply, { kind: 'shut', reason: 'being-removed' })
  t.strictSame(effectsOf(withData.effects, 'put-member'), [])
  const { effects } = decideGate(joiner({ members }), chainfire)
  t.match(effectsOf(effects, 'put-member'), [{ member: { memberId: 'node02.1', state: 'lost' } }])
})

t.test('the data of a removed member is set aside, foreign data stops the step', async (t) => {
  const members = [
    aMember(),
    aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0', state: 'removed' }),
  ]
  const ask = (marker: string) => decideGate(joiner({ members }), { ...chainfire, marker }).reply
  t.match(ask('c1:1:node02.1'), { kind: 'open', action: 'set-aside' })
  for (const marker of ['c1:1:node01.1', 'c9:1:node02.1', 'c1:9:node02.7', 'rubbish']) {
    t.match(ask(marker), { kind: 'shut', reason: 'foreign-data' }, marker)
  }
})

t.test('S3: a new boot with the slot’s own data has the slot back, under the same number', async (t) => {
  const slot = aSlot('chainfire-cluster-join', {
    state: 'suspect',
    machineId: 'm2',
    bootId: 'b0',
    slotNo: 2,
    memberId: 'node02.1',
    action: 'join',
    epoch: 1,
  })
  const members = [
    aMember(),
    aMember({ machineId: 'm2', memberId: 'node02.1', bootId: 'b0', state: 'joining' }),
  ]
  const { reply, effects } = decideGate(joiner({ slot, members }), { ...chainfire, marker: 'c1:1:node02.1' })
  t.match(reply, { kind: 'open', action: 'join', slotNo: 2, memberId: 'node02.1' })
  t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'held', bootId: 'b2', slotNo: 2 } }])
})

t.test(
  'a clock over the limit keeps a Raft join gate shut, and the limit is the cluster’s own',
  async (t) => {
    const ask = (skewMs: number, limitMs?: number) => {
      const settings = limitMs === undefined ? {} : { clockSkewLimitMs: limitMs }
      return decideGate(joiner({ cluster: aFoundedCluster({ settings }) }), {
        ...chainfire,
        clockMs: NOW + skewMs,
      }).reply
    }
    t.match(ask(30_000), { kind: 'open' })
    t.match(ask(-30_001), { kind: 'shut', reason: 'clock-skew' })
    t.match(ask(2_000, 1_000), { kind: 'shut', reason: 'clock-skew' })
  },
)

t.test('workers pass 20 at a time', async (t) => {
  const machine = aMachine({
    id: 'm2',
    name: 'node02',
    role: 'worker',
    state: 'first-boot',
    currentBootId: 'b2',
  })
  const passes = (count: number, heardAtMs: number) =>
    Array.from({ length: count }, (_, index) => ({
      clusterId: 'c1',
      step: 'chainfire-cluster-join' as const,
      machineId: `w${index}`,
      bootId: `wb${index}`,
      heardAtMs,
    }))
  t.match(decideGate(joiner({ machine, passes: passes(19, NOW) }), chainfire).reply, {
    kind: 'open',
    voter: false,
  })
  t.match(decideGate(joiner({ machine, passes: passes(20, NOW) }), chainfire).reply, {
    reason: 'waiting-for-slot',
  })
  t.match(decideGate(joiner({ machine, passes: passes(20, NOW - 90_001) }), chainfire).reply, {
    kind: 'open',
  })
})

t.test('F13: a hold at a step lets the steps before it pass', async (t) => {
  const held = aFoundedCluster({ held: true, holdStep: 'flaredb-cluster-join' })
  t.match(decideGate(joiner({ cluster: held }), chainfire).reply, { kind: 'open' })
  const later = joiner({ cluster: held, steps: [succeeded('chainfire-cluster-join', { bootId: 'b2' })] })
  t.match(decideGate(later, flaredb).reply, { kind: 'shut', reason: 'held' })
  t.match(decideGate(joiner({ fleetHold: {} }), chainfire).reply, { kind: 'shut', reason: 'held' })
})
