import type { Machine } from '../../../model/machine.ts'
import type { Diagnosis } from '../../../policy/diagnosis/diagnose.ts'
import { attemptThatCounts } from '../../../store/snapshots/diagnosis.ts'
import type { OperatorContext } from './operator-context.ts'

/** Where a machine stands and why, as the API shows it. */
export function diagnosisResource(
  { store }: OperatorContext,
  machine: Machine,
  { situation, findings, rootProgress }: Diagnosis,
) {
  const attempt = attemptThatCounts(store.lists, machine)
  const skewMs = attempt === undefined ? undefined : store.lists.attempts.clockSkewMs(attempt.bootId)
  return {
    name: machine.name,
    state: machine.state,
    boot_id: attempt?.bootId ?? null,
    standing: situation.standing,
    stage: situation.stage ?? null,
    step: situation.step ?? null,
    since: new Date(situation.sinceMs).toISOString(),
    for_ms: Math.max(0, store.nowMs() - situation.sinceMs),
    limit_ms: situation.limitMs ?? null,
    gate:
      situation.gate === undefined ? null : { reason: situation.gate.reason, detail: situation.gate.detail },
    root:
      rootProgress === undefined
        ? null
        : {
            bytes: rootProgress.bytes,
            file_bytes: rootProgress.fileBytes ?? null,
            told_at: new Date(rootProgress.toldAtMs).toISOString(),
            is_waiting: rootProgress.isWaiting,
          },
    clock_skew_ms: skewMs ?? null,
    findings,
  }
}
