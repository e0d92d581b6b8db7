import t from 'tap'
import { decideInstalled } from '../../../src/policy/first-boot/decide-installed.ts'
import { decideReport } from '../../../src/policy/first-boot/decide-report.ts'
import type { ReportSnapshot } from '../../../src/policy/first-boot/report-snapshot.ts'
import {
  aCluster,
  aFounding,
  aMachine,
  anAttempt,
  effectsOf,
  eventTypes,
  NOW,
} from '../../support/builders.ts'

const { armedUntilMs: _, ...MACHINE } = aMachine({
  state: 'first-boot',
  bootMode: 'install',
  currentBootId: 'b1',
})

function snapshot(changes: Partial<ReportSnapshot> = {}): ReportSnapshot {
  return {
    nowMs: NOW,
    machine: MACHINE,
    attempt: anAttempt({ status: 'current', stage: 'config-redeemed', passEpoch: 1 }),
    cluster: aCluster({
      founding: aFounding({
        state: 'granted',
        epoch: 1,
        nextEpoch: 2,
        holderMachineId: 'm1',
        holderBootId: 'b1',
      }),
    }),
    steps: [],
    slots: [],
    members: [],
    serviceFoundings: [],
    othersReady: 0,
    configuredFor: 'c1',
    isConfigKept: true,
    ...changes,
  }
}

t.test(
  'its own word makes it installed, once, and ends the time for a repeat of its configuration',
  async (t) => {
    const { reply, effects } = decideInstalled(snapshot())
    t.equal(reply, 'recorded')
    t.match(effectsOf(effects, 'set-machine-state'), [{ machineId: 'm1', state: 'installed' }])
    t.match(effectsOf(effects, 'note-installed'), [{ bootId: 'b1', atMs: NOW }])
    t.equal(effectsOf(effects, 'forget-sealed-config').length, 1)
    t.strictSame(eventTypes(effects), ['machine.installed'])

    const again = decideInstalled(
      snapshot({
        machine: { ...MACHINE, state: 'installed' },
        attempt: anAttempt({ status: 'current', stage: 'config-redeemed', installedAtMs: NOW - 1 }),
      }),
    )
    t.match(again, { reply: 'known', reason: 'already-installed' })
    t.strictSame(effectsOf(again.effects, 'set-machine-state'), [])
  },
)

t.test('whose word does not count: a boot mode of another kind, an arm since, an older boot', async (t) => {
  const cases: readonly (readonly [changes: Partial<ReportSnapshot>, reply: string, reason: string])[] = [
    [{ machine: { ...MACHINE, bootMode: 'netboot' } }, 'known', 'not-install-mode'],
    [{ machine: { ...MACHINE, armedUntilMs: NOW + 1 } }, 'known', 'armed-again'],
    [{ machine: { ...MACHINE, state: 'held' } }, 'not-now', 'held'],
    [{ machine: { ...MACHINE, currentBootId: 'b2' } }, 'stale', 'superseded-boot'],
    [{ configuredFor: 'c0' }, 'stale', 'stale-cluster'],
  ]
  for (const [changes, reply, reason] of cases) {
    const decided = decideInstalled(snapshot(changes))
    t.equal(decided.reply, reply, reason)
    if (reply !== 'stale') t.equal(decided.reason, reason)
    t.strictSame(effectsOf(decided.effects, 'set-machine-state'), [], reason)
    t.strictSame(effectsOf(decided.effects, 'note-installed'), [], reason)
  }
})

t.test('a step that fails after the installation, and goes on, leaves it installed', async (t) => {
  const attempt = anAttempt({
    status: 'current',
    stage: 'config-redeemed',
    passEpoch: 1,
    installedAtMs: NOW - 1,
  })
  const step = { step: 'chainfire-cluster-join', reason: '', facts: {} } as const
  const failed = decideReport(snapshot({ attempt, machine: { ...MACHINE, state: 'installed' } }), {
    ...step,
    sequence: 1,
    state: 'failed',
  })
  t.match(effectsOf(failed.effects, 'set-machine-state'), [{ state: 'failed' }])
  const goesOn = decideReport(snapshot({ attempt, machine: { ...MACHINE, state: 'failed' } }), {
    ...step,
    sequence: 2,
    state: 'started',
  })
  t.match(effectsOf(goesOn.effects, 'set-machine-state'), [{ state: 'installed' }])
})
