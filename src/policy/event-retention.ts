import type { Decision } from './decision.ts'

/** How long events are kept: one goes when it is older than `keepDays`, or not among the newest `keepCount`. */
export interface EventRetention {
  readonly keepDays: number
  readonly keepCount: number
}

export const DEFAULT_EVENT_RETENTION: EventRetention = { keepDays: 90, keepCount: 1_000_000 }

/** An event as far as its keeping is concerned. */
export interface KeptEvent {
  readonly seq: number
  readonly atMs: number
  readonly type: string
  /** True when it says by whom it was done: it is part of the audit. */
  readonly saysBy: boolean
  /** True when it tells of a boot attempt that has not ended. */
  readonly isOfOpenBoot: boolean
}

/** The next events of one sweep through the feed. */
export interface TrimSnapshot {
  readonly nowMs: number
  readonly lastSeq: number
  /** In the order of `seq`; none: the sweep is at the end of the feed. */
  readonly events: readonly KeptEvent[]
}

/** Where the sweep goes on, after this `seq`; undefined: it has seen all that is old. */
export type TrimReply = number | undefined

const DAY_MS = 86_400_000

/**
 * Drops what is old among the next events. What an operator did (`by`) and what happened to a cluster as a whole are the
 * audit, and stay for ever: they are few, and make the history of a founding. What tells of a boot that goes on stays
 * until that boot has ended.
 */
export function decideTrim(
  { nowMs, lastSeq, events }: TrimSnapshot,
  { keepDays, keepCount }: EventRetention,
): Decision<TrimReply> {
  const isOld = ({ seq, atMs }: KeptEvent) => atMs < nowMs - keepDays * DAY_MS || seq <= lastSeq - keepCount
  const old = events.filter(isOld)
  const seqs = old.filter((event) => !isKept(event)).map(({ seq }) => seq)
  return {
    // The feed is in the order of time: after one that is not old there is none that is.
    reply: old.length < events.length ? undefined : old.at(-1)?.seq,
    reason: seqs.length === 0 ? 'nothing-to-drop' : 'dropped',
    effects: seqs.length === 0 ? [] : [{ kind: 'drop-events', seqs }],
  }
}

function isKept({ type, saysBy, isOfOpenBoot }: KeptEvent): boolean {
  return saysBy || isOfOpenBoot || type.startsWith('cluster.')
}
