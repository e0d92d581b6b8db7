import type { TraceKind, TraceRecord } from '../../model/boot-trace.ts'
import type { ServiceName } from '../../model/service.ts'
import type { Situation, Standing } from './situation.ts'
import type { DiagnosisSnapshot } from './snapshot.ts'

/** How sure a finding is: seen to be so, the usual reason for what is seen, or one of several. */
export type Likelihood = 'certain' | 'likely' | 'possible'

/** What a detector looks at: the snapshot, where the machine stands, and its traces by kind. */
export interface Case {
  readonly snapshot: DiagnosisSnapshot
  readonly situation: Situation
  /** Traces of one kind whose key begins so, in order of their first time. */
  traces(kind: TraceKind, keyStart?: string): readonly TraceRecord[]
}

/** What speaks for a cause. */
export interface Evidence {
  /** One sentence with the numbers in it. */
  readonly text: string
  readonly likelihood: Likelihood
  /** The service whose impact and mitigation are worth knowing here. */
  readonly service?: ServiceName
}

/** One cause that operators meet: a row of data with its detector. */
export interface Cause {
  /** Stable, for scripts and the runbook: `another-dhcp-server`. */
  readonly code: string
  readonly title: string
  /** The standings in which it is looked for; most causes explain only what does not move. */
  readonly when: readonly Standing[] | 'always'
  /** Several where the same cause is there more than once: two services that are ill. */
  detect(c: Case): Evidence | readonly Evidence[] | undefined
  /** What an operator does about it, the command where there is one; NAME stands for the machine. */
  cure(c: Case, evidence: Evidence): string
}

/** The standings of a machine that needs an explanation. */
export const STUCK: readonly Standing[] = ['stalled', 'failed']
/** The same, and a wait at a gate within its limit. */
export const HELD_UP: readonly Standing[] = [...STUCK, 'waiting']

export function caseOf(snapshot: DiagnosisSnapshot, situation: Situation): Case {
  const all = snapshot.records?.traces ?? []
  return {
    snapshot,
    situation,
    traces: (kind, keyStart = '') => all.filter((row) => row.kind === kind && row.key.startsWith(keyStart)),
  }
}

/** Seconds between a moment and now, for a sentence. */
export function ago(c: Case, atMs: number): string {
  return `${Math.max(0, Math.round((c.snapshot.nowMs - atMs) / 1000))} s`
}

/** `1 time`, `6 times`. */
export function times(count: number): string {
  return count === 1 ? '1 time' : `${count} times`
}
