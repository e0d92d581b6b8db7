import type { TrimSnapshot } from '../../policy/event-retention.ts'
import type { View } from '../store.ts'

/** Reads the next `count` events of a sweep, after `seq`. */
export function readTrimSnapshot(view: View, seq: number, count: number): TrimSnapshot {
  return {
    nowMs: view.nowMs,
    lastSeq: view.events.lastSeq(),
    events: view.events.keptAfter(seq, count),
  }
}
