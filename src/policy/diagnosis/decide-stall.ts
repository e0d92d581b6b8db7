import type { Decision } from '../decision.ts'
import { type Diagnosis, diagnose } from './diagnose.ts'
import type { DiagnosisSnapshot } from './snapshot.ts'

/** Tells once a stage that a machine does not move on, with the likeliest cause. A tick: it changes no machine. */
export function decideStall(snapshot: DiagnosisSnapshot): Decision<Diagnosis> {
  const diagnosis = diagnose(snapshot)
  const { situation, findings } = diagnosis
  const { machine, records, nowMs } = snapshot
  const { stage } = situation
  const isTold = records?.stages.find((row) => row.stage === stage)?.stalledAtMs !== undefined
  if (situation.standing !== 'stalled' || records === undefined || stage === undefined || isTold)
    return { reply: diagnosis, reason: situation.standing, effects: [] }
  const [first] = findings
  return {
    reply: diagnosis,
    reason: 'stalled',
    effects: [
      { kind: 'mark-stalled', bootId: records.attempt.bootId, stage, atMs: nowMs },
      {
        kind: 'append-event',
        event: {
          atMs: nowMs,
          type: 'machine.stalled',
          machineId: machine.id,
          bootId: records.attempt.bootId,
          data: {
            name: machine.name,
            stage,
            seconds: Math.round((nowMs - situation.sinceMs) / 1000),
            cause: first?.code ?? null,
            evidence: first?.evidence ?? null,
            cure: first?.cure ?? null,
          },
          ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
        },
      },
    ],
  }
}
