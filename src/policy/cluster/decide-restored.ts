import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { decideFreeze } from './decide-unfreeze.ts'
import type { ClusterPicture } from './picture.ts'

/** Who put an older database back: this host's operator, or a standby that takes over. */
export type RestoredBy = 'restore' | 'take-over'

export interface RestoredSnapshot extends Moment {
  /** Undefined: the database is the one that this server wrote last. */
  readonly restoredBy?: RestoredBy
  readonly pictures: readonly ClusterPicture[]
  /** Machines that are in no cluster. */
  readonly others: readonly Machine[]
}

/**
 * F15 for the whole database, decided before any socket opens: every cluster freezes, every arm and boot token is void.
 * What the database has forgotten since the backup nobody knows; a leader with its list (F18) or an operator (F19) says
 * what is true.
 *
 * @returns the number of clusters that froze; undefined: nothing was restored.
 */
export function decideRestored(snapshot: RestoredSnapshot): Decision<number | undefined> {
  const { nowMs, restoredBy, pictures, others } = snapshot
  if (restoredBy === undefined) return { reply: undefined, reason: 'not-restored', effects: [] }
  const frozen = pictures.map((picture) => decideFreeze(picture, restoredBy))
  const count = frozen.filter(({ reply }) => reply === 'frozen').length
  const effects: Effect[] = [
    ...frozen.flatMap((decision) => decision.effects),
    ...others.flatMap((machine): Effect[] => [
      { kind: 'revoke-boot-tokens', machineId: machine.id, atMs: nowMs },
      { kind: 'arm-machine', machineId: machine.id, untilMs: undefined },
      ...(machine.state === 'armed' || machine.state === 'booting'
        ? [{ kind: 'set-machine-state', machineId: machine.id, state: 'enrolled' } as const]
        : []),
    ]),
    {
      kind: 'append-event',
      event: { atMs: nowMs, type: 'database.restored', data: { by: restoredBy, clusters_frozen: count } },
    },
    { kind: 'end-restore' },
  ]
  return { reply: count, reason: 'F15', effects }
}
