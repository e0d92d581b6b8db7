import { type Stage, stageRank } from '../../model/boot-attempt.ts'
import type { TraceRecord } from '../../model/boot-trace.ts'
import { FIRST_BOOT_STEPS, type FirstBootStep, isFirstBootStep } from '../../model/first-boot.ts'
import { isImageScript } from '../boot/trace-files.ts'
import type { DiagnosisSnapshot } from './snapshot.ts'
import type { AttemptRecords } from './timeline.ts'

/**
 * Where a machine stands. `idle`: nothing is asked of it. `unseen`: armed, and no boot packet came. `parked`: its script
 * says that it has to wait for a person. `waiting`: at a gate, within its limit. `stalled`: past its limit.
 */
export type Standing = 'idle' | 'unseen' | 'moving' | 'waiting' | 'parked' | 'stalled' | 'failed' | 'ready'

export interface Situation {
  readonly standing: Standing
  /** Undefined while there is no attempt. */
  readonly stage?: Stage
  /** The first-boot step that it works on, or that comes next once its service has started. */
  readonly step?: FirstBootStep
  /** Since when it has not moved. */
  readonly sinceMs: number
  readonly limitMs?: number
  /** The reason of the gate that keeps it now; undefined where none does. */
  readonly gate?: { readonly reason: string; readonly detail: string; readonly sinceMs: number }
}

/** A transfer that was begun more often than this moves nothing any more: it goes round in a circle. */
const MOST_TRANSFERS = 3
/** A gate that was not asked for longer than this is not what keeps a machine. */
const GATE_ASKED_WITHIN_MS = 15_000

/** What an installer may take, with the reboot after it. */
const INSTALL_SECONDS = 30 * 60

/** Says where a machine stands, from what is recorded and the limits. */
export function situationOf(snapshot: DiagnosisSnapshot): Situation {
  const { machine, records, nowMs } = snapshot
  if (records === undefined || (records.attempt.endedAtMs !== undefined && machine.state === 'armed')) {
    const isAwaited = machine.state === 'armed' && (machine.armedUntilMs ?? 0) > nowMs
    return {
      standing: isAwaited ? 'unseen' : 'idle',
      sinceMs: records?.attempt.endedAtMs ?? snapshot.servingSinceMs,
    }
  }
  const { attempt } = records
  const { stage } = attempt
  if (machine.state === 'ready' && attempt.end === 'ready')
    return { standing: 'ready', stage, sinceMs: attempt.endedAtMs ?? attempt.heardAtMs }
  if (attempt.endedAtMs !== undefined || stage === 'ready')
    return { standing: 'idle', stage, sinceMs: attempt.endedAtMs ?? attempt.heardAtMs }

  const sinceMs = Math.max(lastMoveMs(snapshot, stage), snapshot.servingSinceMs)
  const parked = parkingOf(records.traces, stage)
  if (parked !== undefined) return { standing: 'parked', stage, sinceMs: parked.firstAtMs }
  const step = stepAt(records, stage)
  const gate = step === undefined ? undefined : gateOf(snapshot, step)
  const { stages, gateWaitSeconds } = snapshot.limits
  // Before the first step lie the whole installation and the reboot from disk.
  const isInstalling = machine.bootMode === 'install' && stage === 'config-redeemed' && gate === undefined
  const seconds = isInstalling
    ? INSTALL_SECONDS
    : gate === undefined
      ? stages[step ?? stage]
      : gateWaitSeconds
  const limitMs = 1000 * seconds
  const common = {
    stage,
    sinceMs,
    limitMs,
    ...(step === undefined ? {} : { step }),
    ...(gate === undefined ? {} : { gate }),
  }
  if (records.steps.some((record) => record.step === step && record.state === 'failed'))
    return { ...common, standing: 'failed' }
  if (nowMs - sinceMs > limitMs) return { ...common, standing: 'stalled' }
  return { ...common, standing: gate === undefined ? 'moving' : 'waiting' }
}

function lastMoveMs({ records }: DiagnosisSnapshot, stage: Stage): number {
  if (records === undefined) return 0
  const entered =
    records.stages.find((row) => row.stage === stage)?.enteredAtMs ?? records.attempt.startedAtMs
  const begun = records.steps.find((step) => step.step === stage)?.startedAtMs ?? 0
  // The next step begins when its service has started, which is counted from the end of the one before.
  const ended = records.steps.find((step) => step.step === stage)?.endedAtMs ?? 0
  const files = records.traces.filter(isMovement).map((row) => row.lastAtMs)
  return Math.max(entered, begun, ended, ...(stageRank(stage) <= stageRank('initrd-sent') ? files : []))
}

/** Progress that stage 1 tells of is written down only where there is some. */
function isMovement({ kind, key, times }: TraceRecord): boolean {
  if (kind === 'http' && key === 'squashfs-progress') return true
  if (kind === 'http' && key === 'squashfs-waiting') return false
  return (kind === 'tftp' || kind === 'http') && times <= MOST_TRANSFERS
}

/** The parking script that is the last script it got, where it has not come to its image. */
export function parkingOf(traces: readonly TraceRecord[], stage: Stage): TraceRecord | undefined {
  if (stageRank(stage) > stageRank('initrd-sent')) return undefined
  const scripts = traces.filter(({ kind }) => kind === 'script')
  const last = scripts.reduce<TraceRecord | undefined>(
    (latest, row) => (latest === undefined || row.lastAtMs >= latest.lastAtMs ? row : latest),
    undefined,
  )
  const isLocal = last?.key === 'local-mode' || last?.key === 'already-installed'
  return last === undefined || isImageScript(last) || isLocal ? undefined : last
}

/** The step under way, or the one that follows when it has succeeded or the configuration was just taken. */
function stepAt(records: AttemptRecords, stage: Stage): FirstBootStep | undefined {
  if (stage === 'config-redeemed') return FIRST_BOOT_STEPS[0]
  if (!isFirstBootStep(stage)) return undefined
  const isDone = records.steps.some((record) => record.step === stage && record.state === 'succeeded')
  return isDone ? FIRST_BOOT_STEPS[FIRST_BOOT_STEPS.indexOf(stage) + 1] : stage
}

function gateOf({ records, nowMs }: DiagnosisSnapshot, step: FirstBootStep): Situation['gate'] {
  if (records === undefined) return undefined
  const asked = records.traces.filter((row) => row.kind === 'gate' && row.key.startsWith(`${step}:`))
  const last = asked.reduce<TraceRecord | undefined>(
    (latest, row) => (latest === undefined || row.lastAtMs >= latest.lastAtMs ? row : latest),
    undefined,
  )
  if (last === undefined || last.key.includes(':opened:')) return undefined
  if (nowMs - last.lastAtMs > GATE_ASKED_WITHIN_MS) return undefined
  const reason = last.key.slice(last.key.indexOf(':') + 1)
  return { reason, detail: String(last.facts.detail ?? ''), sinceMs: last.firstAtMs }
}
