import t from 'tap'
import type { Report } from '../../../src/model/first-boot.ts'
import { decideReport } from '../../../src/policy/first-boot/decide-report.ts'
import type { ReportSnapshot } from '../../../src/policy/first-boot/report-snapshot.ts'
import {
  aCluster,
  aFoundedCluster,
  aFounding,
  aMachine,
  aMember,
  anAttempt,
  aSlot,
  effectsOf,
  eventTypes,
  ip,
  NOW,
  succeeded,
} from '../../support/builders.ts'

const granted = aFounding({
  state: 'granted',
  epoch: 1,
  nextEpoch: 2,
  holderMachineId: 'm1',
  holderBootId: 'b1',
})

function snapshot(changes: Partial<ReportSnapshot> = {}): ReportSnapshot {
  return {
    nowMs: NOW,
    machine: aMachine({ state: 'first-boot', currentBootId: 'b1' }),
    attempt: anAttempt({ status: 'current', stage: 'config-redeemed', passEpoch: 1 }),
    cluster: aCluster({ founding: granted }),
    steps: [],
    slots: [],
    members: [],
    serviceFoundings: [],
    othersReady: 0,
    address: ip('10.77.0.11'),
    configuredFor: 'c1',
    isConfigKept: false,
    ...changes,
  }
}

function report(changes: Partial<Report> = {}): Report {
  return {
    step: 'chainfire-cluster-join',
    sequence: 3,
    state: 'succeeded',
    reason: '',
    facts: {},
    ...changes,
  }
}

t.test('a boot that was configured for another cluster is stale, whatever its epoch', async (t) => {
  const { reply, reason, effects } = decideReport(snapshot({ configuredFor: 'c0' }), report())
  t.equal(reply, 'stale')
  t.equal(reason, 'stale-cluster')
  t.strictSame(effects, [])
})

t.test('who is through a step waits for it no longer, however it got through', async (t) => {
  const { effects } = decideReport(snapshot({ cluster: aFoundedCluster() }), report())
  t.match(effectsOf(effects, 'leave-queue'), [{ step: 'chainfire-cluster-join', machineId: 'm1' }])
})

const heldByFounder = aSlot('chainfire-cluster-join', {
  state: 'held',
  machineId: 'm1',
  bootId: 'b1',
  slotNo: 1,
  action: 'found',
  memberId: 'node01.1',
  epoch: 1,
})

t.test('F5: the founder succeeded, and the cluster is founded', async (t) => {
  const members = [aMember({ state: 'joining' })]
  const { reply, effects } = decideReport(
    snapshot({ slots: [heldByFounder], members }),
    report({ slotNo: 1 }),
  )
  t.equal(reply, 'recorded')
  t.match(effectsOf(effects, 'put-founding'), [
    { founding: { state: 'founded', epoch: 1, foundedAtMs: NOW } },
  ])
  t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'free', slotNo: 1 } }])
  t.match(effectsOf(effects, 'put-member'), [{ member: { state: 'member', confirmedBy: 'report' } }])
  t.match(effectsOf(effects, 'put-probe'), [
    { probe: { reported: { chainfire: { url: 'https://10.77.0.11:2379', atMs: NOW } } } },
  ])
  t.ok(eventTypes(effects).includes('cluster.founded'))
})

t.test('S4: a joiner succeeded, and the slot is free for the next', async (t) => {
  const { effects } = decideReport(
    snapshot({
      cluster: aFoundedCluster({ founding: { ...aFoundedCluster().founding, holderMachineId: 'm9' } }),
      slots: [{ ...heldByFounder, action: 'join', slotNo: 2 }],
      members: [aMember({ state: 'joining' })],
    }),
    report({ slotNo: 2 }),
  )
  t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'free', slotNo: 2 } }])
  t.strictSame(effectsOf(effects, 'put-founding'), [])
})

t.test('S13: an older slot number is recorded as a fact and frees nothing', async (t) => {
  const { effects } = decideReport(
    snapshot({
      cluster: aFoundedCluster({ founding: { ...aFoundedCluster().founding, holderMachineId: 'm9' } }),
      slots: [{ ...heldByFounder, bootId: 'b9', machineId: 'm9', slotNo: 5 }],
      members: [aMember({ state: 'lost' })],
    }),
    report({ slotNo: 1 }),
  )
  t.strictSame(effectsOf(effects, 'put-slot'), [])
  t.match(
    effectsOf(effects, 'put-member'),
    [{ member: { state: 'joining', confirmedBy: 'report' } }],
    'on its way in by its word: the list must say whether it is a member',
  )
  t.ok(eventTypes(effects).includes('cluster.slot-overlap'))
})

t.test('S13: who was never seen in and says so is asked about; who was taken out is not', async (t) => {
  const after = (row: Parameters<typeof aMember>[0]) =>
    effectsOf(
      decideReport(
        snapshot({
          cluster: aFoundedCluster({ founding: { ...aFoundedCluster().founding, holderMachineId: 'm9' } }),
          slots: [aSlot('chainfire-cluster-join', { state: 'free', slotNo: 5 })],
          members: [aMember(row)],
        }),
        report({ slotNo: 1 }),
      ).effects,
      'put-member',
    )
  t.match(after({ state: 'removed', confirmedBy: 'list' }), [{ member: { state: 'joining' } }])
  t.strictSame(after({ state: 'removed' }), [], 'removed by us, or by hand')
  t.strictSame(after({ state: 'removed', confirmedBy: 'report' }), [], 'given back unsent')
  t.strictSame(after({ state: 'lost', epoch: 0 }), [], 'of the group that a refound gave up')
  t.strictSame(after({ state: 'lost', bootId: 'b0' }), [], 'of another boot')
})

t.test('S10: who founds FlareDB is believed also after an operator freed its slot', async (t) => {
  const founding = {
    clusterId: 'c1',
    service: 'flaredb',
    state: 'granted',
    epoch: 1,
    machineId: 'm1',
    slotNo: 4,
  } as const
  const flaredb = report({ step: 'flaredb-cluster-join', slotNo: 4 })
  const told = (changes: Partial<typeof founding> | { state: 'done' }, cluster = aFoundedCluster()) =>
    decideReport(
      snapshot({
        cluster,
        slots: [aSlot('flaredb-cluster-join', { state: 'free', slotNo: 4 })],
        members: [aMember({ service: 'flaredb', state: 'lost' })],
        serviceFoundings: [{ ...founding, ...changes }],
      }),
      flaredb,
    ).effects
  t.match(effectsOf(told({}), 'put-service-founding'), [{ row: { state: 'done', machineId: 'm1' } }])
  t.match(effectsOf(told({}), 'put-member'), [{ member: { state: 'member', confirmedBy: 'report' } }])
  t.notOk(eventTypes(told({})).includes('cluster.slot-overlap'))
  for (const other of [{ machineId: 'm2' }, { slotNo: 5 }, { epoch: 0 }]) {
    const effects = told(other as Partial<typeof founding>)
    t.strictSame(effectsOf(effects, 'put-service-founding'), [], 'it was given to another since')
    t.ok(eventTypes(effects).includes('cluster.slot-overlap'))
  }
  const restored = aFoundedCluster()
  const forgetful = { ...restored, founding: { ...restored.founding, frozenBy: 'restore' as const } }
  t.strictSame(
    effectsOf(told({}, forgetful), 'put-service-founding'),
    [],
    'a restore may have forgotten a move',
  )
})

t.test('S5: a failure keeps the slot, the third makes it suspect, and nothing sent frees it', async (t) => {
  const failed = report({ state: 'failed', reason: 'join answered 500' })
  t.match(effectsOf(decideReport(snapshot({ slots: [heldByFounder] }), failed).effects, 'put-slot'), [
    { slot: { state: 'held', failures: 1 } },
  ])
  const third = decideReport(snapshot({ slots: [{ ...heldByFounder, failures: 2 }] }), failed)
  t.match(effectsOf(third.effects, 'put-slot'), [{ slot: { state: 'suspect', failures: 3 } }])
  const unsent = decideReport(
    snapshot({ slots: [heldByFounder], members: [aMember({ state: 'joining' })] }),
    report({ state: 'failed', reason: 'nothing was sent: no route', slotNo: 1 }),
  )
  t.match(effectsOf(unsent.effects, 'put-slot'), [{ slot: { state: 'free' } }])
  t.match(effectsOf(unsent.effects, 'put-member'), [{ member: { state: 'removed' } }])
  const again = decideReport(
    snapshot({
      slots: [{ ...heldByFounder, noted: 'told-again' }],
      members: [aMember({ state: 'joining' })],
    }),
    report({ state: 'failed', reason: 'nothing was sent: no route', slotNo: 1 }),
  )
  t.match(
    effectsOf(again.effects, 'put-slot'),
    [{ slot: { state: 'held', failures: 1 } }],
    'an earlier try may be in',
  )
})

t.test('the same report again, an older one, and one after success change nothing', async (t) => {
  const known = [succeeded('chainfire-cluster-join', { state: 'started', sequence: 3 })]
  for (const sequence of [1, 2, 3]) {
    const { reply, effects } = decideReport(snapshot({ steps: known }), report({ sequence }))
    t.equal(reply, 'known')
    t.strictSame(effectsOf(effects, 'put-step'), [])
  }
  const after = decideReport(
    snapshot({ steps: [succeeded('chainfire-cluster-join')] }),
    report({ sequence: 9, state: 'failed' }),
  )
  t.equal(after.reply, 'known', 'succeeded is never taken back')
})

t.test('a boot that no longer counts is stale and changes nothing', async (t) => {
  for (const changes of [
    { attempt: anAttempt({ status: 'superseded' }) },
    { machine: aMachine({ currentBootId: 'b2' }) },
    { attempt: anAttempt({ status: 'current', passEpoch: 7 }) },
  ]) {
    const { reply, effects } = decideReport(snapshot(changes), report())
    t.equal(reply, 'stale')
    t.strictSame(effects, [])
  }
})

t.test('the first report ends the time in which the configuration could be asked for again', async (t) => {
  const { effects } = decideReport(
    snapshot({ isConfigKept: true }),
    report({ state: 'started', sequence: 1 }),
  )
  t.match(effectsOf(effects, 'forget-sealed-config'), [{ bootId: 'b1' }])
})

t.test('the fourth step makes the machine ready, and the last machine its cluster', async (t) => {
  const health = report({ step: 'cluster-health-check', sequence: 12 })
  const second = decideReport(snapshot({ othersReady: 1 }), health)
  t.match(effectsOf(second.effects, 'set-machine-state'), [{ state: 'ready' }])
  t.match(effectsOf(second.effects, 'end-attempt'), [{ end: 'ready' }])
  t.ok(eventTypes(second.effects).includes('machine.ready'))
  t.notOk(eventTypes(second.effects).includes('cluster.ready'), 'two of three')
  const third = decideReport(snapshot({ othersReady: 2 }), health)
  t.ok(eventTypes(third.effects).includes('cluster.ready'))
  const worker = decideReport(
    snapshot({ othersReady: 2, machine: aMachine({ role: 'worker', currentBootId: 'b1' }) }),
    health,
  )
  t.notOk(eventTypes(worker.effects).includes('cluster.ready'), 'workers do not count')
})

t.test('a failed step shows on the machine until the step runs again', async (t) => {
  const failed = decideReport(snapshot(), report({ state: 'failed', reason: 'no health' }))
  t.match(effectsOf(failed.effects, 'set-machine-state'), [{ state: 'failed' }])
  const machine = aMachine({ state: 'failed', currentBootId: 'b1' })
  const again = decideReport(
    snapshot({ machine, steps: [succeeded('chainfire-cluster-join', { state: 'failed' })] }),
    report({ state: 'started', sequence: 4 }),
  )
  t.match(effectsOf(again.effects, 'set-machine-state'), [{ state: 'first-boot' }])
})

t.test(
  'steps that never said that they succeeded are implied by a later one, and their own word still counts',
  async (t) => {
    const { effects } = decideReport(snapshot(), report({ step: 'cluster-health-check', sequence: 12 }))
    t.match(
      effectsOf(effects, 'put-step')
        .filter(({ record }) => record.state === 'implied')
        .map(({ record }) => record.step),
      ['chainfire-cluster-join', 'flaredb-cluster-join', 'iam-initial-setup'],
    )
    const steps = [succeeded('chainfire-cluster-join', { state: 'implied', sequence: 0 })]
    t.equal(decideReport(snapshot({ steps }), report({ state: 'failed' })).reply, 'known')
    t.equal(
      decideReport(snapshot({ steps, slots: [heldByFounder] }), report({ slotNo: 1 })).reply,
      'recorded',
    )
  },
)

t.test('F6: a doubtful founder that speaks is granted again', async (t) => {
  const cluster = aCluster({ founding: { ...granted, state: 'doubtful' } })
  const { effects } = decideReport(snapshot({ cluster }), report({ state: 'progress' }))
  t.match(effectsOf(effects, 'put-founding'), [{ founding: { state: 'granted', epoch: 1 } }])
})

t.test('a late failure takes back neither an arm nor a hold', async (t) => {
  for (const state of ['armed', 'held', 'booting'] as const) {
    const machine = aMachine({ state, currentBootId: 'b1' })
    const { effects } = decideReport(snapshot({ machine }), report({ state: 'failed', reason: 'x' }))
    t.strictSame(effectsOf(effects, 'set-machine-state'), [], state)
  }
})
