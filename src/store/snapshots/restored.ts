import type { RestoredSnapshot } from '../../policy/cluster/decide-restored.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'
import { readPicture } from './picture.ts'

const MOST = 1_000_000

/** Reads every cluster whole, where the database was put back; nothing else happens before that is decided. */
export function readRestored(view: View): RestoredSnapshot {
  const { nowMs } = view
  const restoredBy = view.secrets.restoredBy()
  if (restoredBy === undefined) return { nowMs, pictures: [], others: [] }
  return {
    nowMs,
    ...given('restoredBy', restoredBy),
    pictures: view.clusters.list('', MOST).flatMap(({ id }) => readPicture(view, id, nowMs) ?? []),
    others: view.machines.list('', MOST).filter(({ clusterId }) => clusterId === undefined),
  }
}
