import type { JoinSlot, Member, RaftService, ServiceFounding } from '../../model/cluster.ts'
import type { NewEvent } from '../../model/event.ts'
import type { Report } from '../../model/first-boot.ts'
import { isControlPlane } from '../../model/machine.ts'
import { founded, freed, isFounderBoot, mayHaveForgotten } from '../cluster/founding.ts'
import { leaderReported } from '../cluster/leaders.ts'
import { neverSeenIn } from '../cluster/membership.ts'
import type { Effect } from '../effect.ts'
import { machineEvent } from '../machine/machine-event.ts'
import { stateUnderWay } from '../machine/state-under-way.ts'
import { raftServiceOf } from './raft-step.ts'
import type { ReportSnapshot } from './report-snapshot.ts'

/** What a slot holder's third failure makes of it: nobody knows any more whether its join got in. */
const SUSPECT_AFTER_FAILURES = 3

/** How a node says that a failed step never reached the service, so that its slot can go to the next. */
const NOTHING_WAS_SENT = /^(?:nothing was sent|endpoint-not-found)/

/** What is founded or set up once in an epoch, by the step that does it. */
const SERVICE_ENDED_BY: { readonly [step: string]: ServiceFounding['service'] } = {
  'flaredb-cluster-join': 'flaredb',
  'iam-initial-setup': 'iam',
}

/** F5, S4 and ready: what a step that succeeded makes true, beside its own record. */
export function stepSucceeded(snapshot: ReportSnapshot, report: Report): Effect[] {
  const { cluster, machine, attempt, nowMs, address } = snapshot
  if (report.step === 'cluster-health-check') return ready(snapshot)
  if (cluster === undefined) return []
  const slot = snapshot.slots.find((row) => row.step === report.step)
  const effects: Effect[] = [
    { kind: 'drop-gate-pass', clusterId: cluster.id, step: report.step, machineId: machine.id },
    // By a pass that a restore has forgotten it may be through while its place in the line stands.
    { kind: 'leave-queue', clusterId: cluster.id, step: report.step, machineId: machine.id },
  ]
  const isFounding =
    report.step === 'chainfire-cluster-join' && isFounderBoot(cluster.founding, machine.id, attempt.bootId)
  if (isFounding) {
    effects.push(
      { kind: 'put-founding', clusterId: cluster.id, founding: founded(cluster.founding, nowMs) },
      eventOf(snapshot, 'cluster.founded', { epoch: cluster.founding.epoch }),
    )
  }
  const holds = slot !== undefined && isHolder(snapshot, slot) && slot.slotNo === report.slotNo
  const granted = serviceGrantedTo(snapshot, report)
  if (holds) {
    effects.push({ kind: 'put-slot', slot: freed(slot) }, ...serviceDone(snapshot, slot))
  } else if (granted !== undefined) {
    effects.push({ kind: 'put-service-founding', row: { ...granted, state: 'done' } })
  } else if (!isFounding && (report.slotNo ?? 0) > 0) {
    // S13: it is a fact that this boot said so; whether it is a member the list must say.
    effects.push(
      eventOf(snapshot, 'cluster.slot-overlap', { step: report.step, slot_no: report.slotNo ?? 0 }),
    )
  }
  const service = raftServiceOf(report.step)
  if (service === undefined) return effects
  const row = snapshot.members.find(
    (candidate) =>
      candidate.service === service &&
      candidate.bootId === attempt.bootId &&
      (isFounding ||
        granted !== undefined ||
        !candidate.voter ||
        (holds && candidate.memberId === slot.memberId)) &&
      (candidate.state === 'joining' || candidate.state === 'lost'),
  )
  if (row !== undefined) {
    effects.push({ kind: 'put-member', member: { ...row, state: 'member', confirmedBy: 'report' } })
  } else if (!holds) effects.push(...onItsWord(snapshot, service))
  if (address !== undefined && (isFounding || report.facts.raft === 'leader')) {
    effects.push(leaderReported(cluster, service, address, nowMs))
  }
  return effects
}

/**
 * S13: a voter that says that it is in, by a slot that was freed in the meantime. The list will tell; until it has been asked
 * the row is on its way in by that word, so that its data is kept when all lose power before.
 */
function onItsWord({ members, attempt, cluster }: ReportSnapshot, service: RaftService): Effect[] {
  return members
    .filter(
      (row) =>
        row.service === service &&
        row.bootId === attempt.bootId &&
        row.epoch === cluster?.founding.epoch &&
        row.voter &&
        (row.state === 'lost' || neverSeenIn(row)),
    )
    .map((row) => ({ kind: 'put-member', member: { ...row, state: 'joining', confirmedBy: 'report' } }))
}

/**
 * S5: a holder that failed keeps its slot for its next try, unless it says of this slot that nothing was sent. That
 * frees a slot only after its one try: of several, an earlier one may have got in.
 */
export function stepFailed(snapshot: ReportSnapshot, report: Report): Effect[] {
  const { machine, attempt, cluster } = snapshot
  const effects: Effect[] = []
  // Held, armed or booting again says more than a failure of the boot before.
  if (machine.state === stateUnderWay(attempt)) {
    effects.push({ kind: 'set-machine-state', machineId: machine.id, state: 'failed' })
  }
  if (cluster === undefined || report.step === 'cluster-health-check') return effects
  effects.push({
    kind: 'drop-gate-pass',
    clusterId: cluster.id,
    step: report.step,
    machineId: machine.id,
  })
  const slot = snapshot.slots.find((row) => row.step === report.step)
  if (slot === undefined || slot.state !== 'held' || !isHolder(snapshot, slot)) return effects
  // A report that names an older slot was late: the machine has been given another since.
  if (report.slotNo !== undefined && report.slotNo > 0 && report.slotNo !== slot.slotNo) return effects
  const isUnsent =
    NOTHING_WAS_SENT.test(report.reason) &&
    report.slotNo === slot.slotNo &&
    slot.failures === 0 &&
    slot.noted === undefined
  if (isUnsent) {
    effects.push({ kind: 'put-slot', slot: freed(slot) })
    const row = rowOfSlot(snapshot, slot)
    if (row !== undefined) {
      effects.push({ kind: 'put-member', member: { ...row, state: 'removed', confirmedBy: 'report' } })
    }
    return effects
  }
  const failures = slot.failures + 1
  const state = failures >= SUSPECT_AFTER_FAILURES ? 'suspect' : 'held'
  effects.push({ kind: 'put-slot', slot: { ...slot, failures, state } })
  if (state === 'suspect')
    effects.push(eventOf(snapshot, 'cluster.slot-suspect', { step: slot.step, slot_no: slot.slotNo }))
  return effects
}

function isHolder(snapshot: ReportSnapshot, slot: JoinSlot): boolean {
  return (slot.state === 'held' || slot.state === 'suspect') && slot.bootId === snapshot.attempt.bootId
}

/**
 * The founding or set-up that a report ends although its slot was freed in the meantime (S10): it stays granted to its
 * machine by the same number until somebody is given it anew. Not after a restore, which may have forgotten just that.
 */
function serviceGrantedTo(
  { cluster, machine, serviceFoundings }: ReportSnapshot,
  report: Report,
): ServiceFounding | undefined {
  if (cluster?.founding.state !== 'founded' || mayHaveForgotten(cluster.founding)) return undefined
  const service = SERVICE_ENDED_BY[report.step]
  return serviceFoundings.find(
    (row) =>
      row.service === service &&
      row.state === 'granted' &&
      row.epoch === cluster.founding.epoch &&
      row.machineId === machine.id &&
      row.slotNo === report.slotNo,
  )
}

function rowOfSlot(snapshot: ReportSnapshot, slot: JoinSlot): Member | undefined {
  const service = raftServiceOf(slot.step)
  return snapshot.members.find(
    (row) => row.service === service && row.memberId === slot.memberId && row.state === 'joining',
  )
}

/** `found` and `setup` happen once per epoch: their success makes the service done. */
function serviceDone(snapshot: ReportSnapshot, slot: JoinSlot): Effect[] {
  if (slot.step !== 'iam-initial-setup' && slot.action !== 'found') return []
  const service = SERVICE_ENDED_BY[slot.step]
  const row = snapshot.serviceFoundings.find((candidate) => candidate.service === service)
  return row === undefined ? [] : [{ kind: 'put-service-founding', row: { ...row, state: 'done' } }]
}

/** The fourth step: the machine is ready, and with the last expected control-plane machine so is its cluster. */
function ready(snapshot: ReportSnapshot): Effect[] {
  const { machine, attempt, cluster, nowMs } = snapshot
  const effects: Effect[] = [
    { kind: 'reach-stage', bootId: attempt.bootId, stage: 'ready', atMs: nowMs, bytes: 0, retries: 0 },
    { kind: 'end-attempt', bootId: attempt.bootId, end: 'ready', atMs: nowMs },
    eventOf(snapshot, 'machine.ready', { seconds: Math.round((nowMs - attempt.startedAtMs) / 1000) }),
  ]
  // A hold stays. An arm stays too: it is spent by a redemption, whatever a running boot says meanwhile.
  if (machine.state === 'held') return effects
  effects.push({ kind: 'set-machine-state', machineId: machine.id, state: 'ready' })
  if (cluster !== undefined && isControlPlane(machine.role)) {
    const readyCount = snapshot.othersReady + 1
    if (readyCount === cluster.expectedControlPlane) {
      effects.push(eventOf(snapshot, 'cluster.ready', { control_plane: readyCount }))
    }
  }
  return effects
}

function eventOf({ machine, attempt, nowMs }: ReportSnapshot, type: string, data: NewEvent['data']): Effect {
  return machineEvent(machine, nowMs, type, data, attempt.bootId)
}
