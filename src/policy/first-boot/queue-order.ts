import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { Waiting } from './gate-snapshot.ts'

/** A waiter that has not polled for so long has gone; long polls come at least once a minute. */
export const GONE_AFTER_MS = 90_000

/**
 * Who is next for a free slot: the founder in its founding boot, then control-plane machines, then workers, each by
 * arrival. Waiters that stopped asking are passed over and keep their place for when they come back.
 *
 * @returns the machine's id; the asker's own when nobody waits before it.
 */
export function nextInQueue(
  queue: readonly Waiting[],
  asker: { readonly machine: Machine; readonly isHolder: boolean },
  nowMs: number,
): string {
  const isQueued = queue.some((entry) => entry.machineId === asker.machine.id)
  const waiting = queue
    .filter((entry) => entry.machineId === asker.machine.id || nowMs - entry.heardAtMs <= GONE_AFTER_MS)
    .map((entry) => ({
      machineId: entry.machineId,
      rank: rank(entry.role, entry.isHolder),
      arrived: entry.arrivedSeq,
    }))
  if (!isQueued) {
    waiting.push({
      machineId: asker.machine.id,
      rank: rank(asker.machine.role, asker.isHolder),
      arrived: Number.POSITIVE_INFINITY,
    })
  }
  waiting.sort((a, b) => a.rank - b.rank || a.arrived - b.arrived)
  return waiting[0]?.machineId ?? asker.machine.id
}

function rank(role: Machine['role'], isHolder: boolean): number {
  if (isHolder) return 0
  return isControlPlane(role) ? 1 : 2
}
