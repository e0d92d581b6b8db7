import type { BootAttempt, Stage, StageRecord } from '../../model/boot-attempt.ts'
import type { TraceRecord } from '../../model/boot-trace.ts'
import {
  FIRST_BOOT_STEPS,
  type FirstBootStep,
  type StepRecord,
  type StepState,
} from '../../model/first-boot.ts'

/** What is recorded of one attempt. */
export interface AttemptRecords {
  readonly attempt: BootAttempt
  readonly stages: readonly StageRecord[]
  readonly steps: readonly StepRecord[]
  readonly traces: readonly TraceRecord[]
}

/** A boot attempt to scale: all times are ms since its first packet. */
export interface BootTimeline {
  readonly stages: readonly TimelineStage[]
  readonly steps: readonly TimelineStep[]
  /** From the first packet to the end, or to now while it runs. */
  readonly totalMs: number
}

export interface TimelineStage {
  readonly stage: Stage
  readonly afterMs: number
  /** Since the stage before it; 0 for the first. */
  readonly tookMs: number
  readonly bytes: number
  readonly retries: number
  /** When it was told that the attempt does not move on from here. */
  readonly stalledAfterMs?: number
}

export interface TimelineStep {
  readonly step: FirstBootStep
  readonly state: StepState | 'pending'
  readonly reason: string
  readonly fromMs?: number
  /** Undefined while it runs. */
  readonly untilMs?: number
  readonly slotNo?: number
  readonly waits: readonly StepWait[]
}

/** How long the gate of a step stayed shut for one reason, from the first refusal to the last. */
export interface StepWait {
  readonly reason: string
  readonly detail: string
  readonly fromMs: number
  readonly untilMs: number
  readonly asked: number
}

/** Puts what was recorded of an attempt on one scale, stages in the order in which they were reached. */
export function timelineOf(records: AttemptRecords, nowMs: number): BootTimeline {
  const { attempt, stages, steps, traces } = records
  const since = (atMs: number) => Math.max(0, atMs - attempt.startedAtMs)
  const ordered = [...stages].sort((a, b) => a.enteredAtMs - b.enteredAtMs)
  return {
    totalMs: since(attempt.endedAtMs ?? nowMs),
    stages: ordered.map((record, index) => ({
      stage: record.stage,
      afterMs: since(record.enteredAtMs),
      tookMs: record.enteredAtMs - (ordered[index - 1]?.enteredAtMs ?? record.enteredAtMs),
      bytes: record.bytes,
      retries: record.retries,
      ...(record.stalledAtMs === undefined ? {} : { stalledAfterMs: since(record.stalledAtMs) }),
    })),
    steps: FIRST_BOOT_STEPS.map((step) => {
      const record = steps.find((candidate) => candidate.step === step)
      return {
        step,
        state: record?.state ?? 'pending',
        reason: record?.reason ?? '',
        waits: waitsOf(step, traces).map((wait) => ({
          ...wait,
          fromMs: since(wait.fromMs),
          untilMs: since(wait.untilMs),
        })),
        ...(record?.startedAtMs === undefined ? {} : { fromMs: since(record.startedAtMs) }),
        ...(record?.endedAtMs === undefined ? {} : { untilMs: since(record.endedAtMs) }),
        ...(record?.slotNo === undefined ? {} : { slotNo: record.slotNo }),
      }
    }),
  }
}

/** The waits of a step at its gate, in absolute times, oldest first. */
export function waitsOf(step: FirstBootStep, traces: readonly TraceRecord[]): readonly StepWait[] {
  return traces
    .filter((row) => row.kind === 'gate' && row.key.startsWith(`${step}:`) && !row.key.includes(':opened:'))
    .map((row) => ({
      reason: row.key.slice(step.length + 1),
      detail: String(row.facts.detail ?? ''),
      fromMs: row.firstAtMs,
      untilMs: row.lastAtMs,
      asked: row.times,
    }))
}
