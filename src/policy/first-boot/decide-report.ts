import { FIRST_BOOT_STEPS, type Report, type StepRecord, type StepState } from '../../model/first-boot.ts'
import { heardAgain } from '../cluster/founding.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { stateUnderWay } from '../machine/state-under-way.ts'
import type { ReportReply, ReportSnapshot } from './report-snapshot.ts'
import { stalenessOf } from './staleness.ts'
import { stepFailed, stepSucceeded } from './step-outcome.ts'

/**
 * Records one report. The same (boot_id, step, sequence) again, or an older one, changes nothing; a step never moves
 * back from succeeded; a boot that another has followed, or that is bound to an old epoch, is stale (founding.md §2).
 */
export function decideReport(
  snapshot: ReportSnapshot,
  report: Report,
  clockMs?: number,
): Decision<ReportReply> {
  const { machine, attempt, cluster, nowMs } = snapshot
  const stale = stalenessOf(machine, attempt, cluster, snapshot.configuredFor)
  if (stale !== undefined) return { reply: 'stale', reason: stale, effects: [] }
  const heard: Effect[] = [
    { kind: 'heard-from', bootId: attempt.bootId, atMs: nowMs },
    ...(cluster === undefined ? [] : heardAgain(cluster, machine.id, attempt.bootId)),
  ]
  if (clockMs !== undefined) {
    heard.push({ kind: 'note-clock', bootId: attempt.bootId, skewMs: clockMs - nowMs, atMs: nowMs })
  }
  const before = snapshot.steps.find((record) => record.step === report.step)
  if (before !== undefined && report.sequence <= before.sequence) {
    return { reply: 'known', reason: 'known-sequence', effects: heard }
  }
  // Implied by a later step's success: only its own word that it succeeded is more.
  if (before?.state === 'succeeded' || (before?.state === 'implied' && report.state !== 'succeeded')) {
    return { reply: 'known', reason: 'already-succeeded', effects: heard }
  }
  const record = nextRecord(before, report, attempt.bootId, nowMs)
  const effects: Effect[] = [...heard, { kind: 'put-step', record }]
  if (snapshot.isConfigKept) effects.push({ kind: 'forget-sealed-config', bootId: attempt.bootId })
  effects.push({
    kind: 'reach-stage',
    bootId: attempt.bootId,
    stage: report.step,
    atMs: nowMs,
    bytes: 0,
    retries: before?.state === 'failed' ? 1 : 0,
  })
  if (before?.state !== record.state) effects.push(stepEvent(snapshot, report, record.state))
  if (machine.state === 'failed' && record.state !== 'failed') {
    effects.push({ kind: 'set-machine-state', machineId: machine.id, state: stateUnderWay(attempt) })
  }
  if (record.state === 'succeeded')
    effects.push(...implied(snapshot, report), ...stepSucceeded(snapshot, report))
  if (record.state === 'failed') effects.push(...stepFailed(snapshot, report))
  return { reply: 'recorded', reason: record.state, effects }
}

/** Steps before this one that never said that they succeeded: this one could not have, without them. */
function implied(snapshot: ReportSnapshot, report: Report): Effect[] {
  return FIRST_BOOT_STEPS.slice(0, FIRST_BOOT_STEPS.indexOf(report.step))
    .map((step) => ({ step, record: snapshot.steps.find((candidate) => candidate.step === step) }))
    .filter(({ record }) => record?.state !== 'succeeded' && record?.state !== 'implied')
    .map(
      ({ step, record }): Effect => ({
        kind: 'put-step',
        record: {
          bootId: snapshot.attempt.bootId,
          step,
          state: 'implied',
          sequence: record?.sequence ?? 0,
          reason: `implied: ${report.step} succeeded`,
          endedAtMs: snapshot.nowMs,
          ...(record?.startedAtMs === undefined ? {} : { startedAtMs: record.startedAtMs }),
        },
      }),
    )
}

function nextRecord(
  before: StepRecord | undefined,
  report: Report,
  bootId: string,
  nowMs: number,
): StepRecord {
  const state: StepState = report.state === 'progress' ? 'started' : report.state
  const isEnd = state === 'succeeded' || state === 'failed'
  const slotNo = report.slotNo ?? before?.slotNo
  return {
    bootId,
    step: report.step,
    state,
    sequence: report.sequence,
    reason: report.reason,
    startedAtMs: before?.startedAtMs ?? nowMs,
    ...(slotNo === undefined ? {} : { slotNo }),
    ...(isEnd ? { endedAtMs: nowMs } : {}),
  }
}

function stepEvent(snapshot: ReportSnapshot, report: Report, state: StepState): Effect {
  const { machine, attempt, nowMs } = snapshot
  return {
    kind: 'append-event',
    event: {
      atMs: nowMs,
      type: `step.${state}`,
      machineId: machine.id,
      bootId: attempt.bootId,
      data: {
        name: machine.name,
        step: report.step,
        place: FIRST_BOOT_STEPS.indexOf(report.step) + 1,
        sequence: report.sequence,
        reason: report.reason,
      },
      ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
    },
  }
}
