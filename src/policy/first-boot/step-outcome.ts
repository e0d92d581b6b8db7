import type { JoinSlot, Member, RaftService } from '../../model/cluster.ts'
import type { Report } from '../../model/first-boot.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'
import { founded, freed, isFounderBoot } from '../cluster/founding.ts'
import type { Effect } from '../effect.ts'
import { raftServiceOf } from './gate-conditions.ts'
import type { ReportSnapshot } from './report-snapshot.ts'

/** What a slot holder's third failure makes of it: nobody knows any more whether its join got in. */
const SUSPECT_AFTER_FAILURES = 3

/** How a node says that a failed step never reached the service, so that its slot can go to the next. */
const NOTHING_WAS_SENT = 'nothing was sent'

/** F5, S4 and ready: what a step that succeeded makes true, beside its own record. */
export function stepSucceeded(snapshot: ReportSnapshot, report: Report): Effect[] {
  if (report.step === 'cluster-health-check') return ready(snapshot)
  const slot = snapshot.slots.find((row) => row.step === report.step)
  const ownsSlot = slot !== undefined && slot.bootId === snapshot.attempt.bootId && slot.state !== 'free'
  const effects: Effect[] = []
  const service = raftServiceOf(report.step)
  if (service !== undefined) effects.push(...confirmMember(snapshot, service))
  if (report.step === 'chainfire-cluster-join') effects.push(...chainfireFounded(snapshot))
  if (ownsSlot && slot.slotNo === report.slotNo) {
    effects.push({ kind: 'put-slot', slot: freed(slot) }, ...serviceDone(snapshot, slot))
  } else if (report.slotNo !== undefined && report.slotNo > 0) {
    effects.push(eventOf(snapshot, 'cluster.slot-overlap', { step: report.step, slot_no: report.slotNo }))
  }
  return effects
}

/** S5: a holder that failed keeps its slot for its next try, unless it never reached the service. */
export function stepFailed(snapshot: ReportSnapshot, report: Report): Effect[] {
  const effects: Effect[] = [{ kind: 'set-machine-state', machineId: snapshot.machine.id, state: 'failed' }]
  const slot = snapshot.slots.find((row) => row.step === report.step)
  if (slot === undefined || slot.state !== 'held' || slot.bootId !== snapshot.attempt.bootId) return effects
  if (report.reason.startsWith(NOTHING_WAS_SENT)) {
    effects.push({ kind: 'put-slot', slot: freed(slot) })
    for (const member of joiningRows(snapshot, raftServiceOf(slot.step))) {
      effects.push({ kind: 'put-member', member: { ...member, state: 'removed' } })
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

function confirmMember(snapshot: ReportSnapshot, service: RaftService): Effect[] {
  return joiningRows(snapshot, service).map((member) => ({
    kind: 'put-member',
    member: { ...member, state: 'member', confirmedBy: 'report' },
  }))
}

function joiningRows(snapshot: ReportSnapshot, service: RaftService | undefined): Member[] {
  return snapshot.members.filter(
    (row) => row.service === service && row.bootId === snapshot.attempt.bootId && row.state === 'joining',
  )
}

/** F5. The founder alone is the whole quorum at this moment, so its own word is as good as a probe. */
function chainfireFounded(snapshot: ReportSnapshot): Effect[] {
  const { cluster, machine, attempt, nowMs, address } = snapshot
  if (cluster === undefined || !isFounderBoot(cluster.founding, machine.id, attempt.bootId)) return []
  const effects: Effect[] = [
    { kind: 'put-founding', clusterId: cluster.id, founding: founded(cluster.founding, nowMs) },
    eventOf(snapshot, 'cluster.founded', { epoch: cluster.founding.epoch }),
  ]
  if (address !== undefined) {
    const leaderUrl = serviceUrl(servicesApiOf(cluster.settings.servicesApi), 'chainfire', address)
    effects.push({
      kind: 'put-probe',
      clusterId: cluster.id,
      probe: { ...cluster.probe, result: 'leader-quorum', probedAtMs: nowMs, leaderUrl },
    })
  }
  return effects
}

/** `found` and `setup` happen once per epoch: their success makes the service done. */
function serviceDone(snapshot: ReportSnapshot, slot: JoinSlot): Effect[] {
  const service =
    slot.step === 'flaredb-cluster-join' && slot.action === 'found'
      ? 'flaredb'
      : slot.step === 'iam-initial-setup'
        ? 'iam'
        : undefined
  const row = snapshot.serviceFoundings.find((candidate) => candidate.service === service)
  return row === undefined ? [] : [{ kind: 'put-service-founding', row: { ...row, state: 'done' } }]
}

/** The fourth step: the machine is ready, and with the last expected control-plane machine so is its cluster. */
function ready(snapshot: ReportSnapshot): Effect[] {
  const { machine, attempt, cluster, nowMs } = snapshot
  const effects: Effect[] = [
    { kind: 'set-machine-state', machineId: machine.id, state: 'ready' },
    { kind: 'reach-stage', bootId: attempt.bootId, stage: 'ready', atMs: nowMs, bytes: 0, retries: 0 },
    { kind: 'end-attempt', bootId: attempt.bootId, end: 'ready', atMs: nowMs },
    eventOf(snapshot, 'machine.ready', { seconds: Math.round((nowMs - attempt.startedAtMs) / 1000) }),
  ]
  if (cluster !== undefined && machine.role === 'control-plane') {
    const readyCount = snapshot.othersReady + 1
    if (readyCount === cluster.expectedControlPlane) {
      effects.push(eventOf(snapshot, 'cluster.ready', { control_plane: readyCount }))
    }
  }
  return effects
}

function eventOf(
  snapshot: ReportSnapshot,
  type: string,
  data: Readonly<Record<string, string | number | boolean | null>>,
): Effect {
  const { machine, attempt, nowMs } = snapshot
  return {
    kind: 'append-event',
    event: {
      atMs: nowMs,
      type,
      machineId: machine.id,
      bootId: attempt.bootId,
      data: { name: machine.name, ...data },
      ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
    },
  }
}
