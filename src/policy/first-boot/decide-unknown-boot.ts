import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'

const TELL_AGAIN_AFTER_MS = 3_600_000
const EVENT = 'boot.unknown'

export interface UnknownBootSnapshot extends Moment {
  /** The machine that owns the MAC in the URL. */
  readonly machine?: Machine
  /** When the feed was last told of a fact about a subject, by `type subject`. */
  readonly told: ReadonlyMap<string, number>
}

/**
 * A boot asks or reports with a token that this server signed, and the tables know nothing of its redemption: they came
 * from a backup that is older. The node keeps its queue and backs off (a newer backup would know it); an operator is
 * told once an hour what ends it.
 */
export function decideUnknownBoot(
  { nowMs, machine, told }: UnknownBootSnapshot,
  bootId: string,
): Decision<'unknown'> {
  const toldAtMs = told.get(`${EVENT} ${machine?.id}`)
  const isTold = toldAtMs !== undefined && nowMs - toldAtMs < TELL_AGAIN_AFTER_MS
  if (machine === undefined || isTold) return { reply: 'unknown', reason: 'unknown-boot', effects: [] }
  const effects: readonly Effect[] = [
    { kind: 'note-told', type: EVENT, subject: machine.id, atMs: nowMs },
    {
      kind: 'append-event',
      event: {
        atMs: nowMs,
        type: EVENT,
        machineId: machine.id,
        data: {
          name: machine.name,
          boot_id: bootId,
          why: 'it runs a boot that this database never configured; was an older backup restored?',
          cure: `pilotlight machine arm ${machine.name}, and boot it again`,
        },
        ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
      },
    },
  ]
  return { reply: 'unknown', reason: 'unknown-boot', effects }
}

/**
 * F20: the cluster of this boot is deleted, and its tokens are void: nothing is recorded any more, nothing granted.
 *
 * @returns undefined while the cluster is there.
 */
export function decideClosed(cluster: Cluster | undefined): Decision<'unknown'> | undefined {
  if (cluster?.founding.state !== 'closed') return undefined
  return { reply: 'unknown', reason: 'cluster-closed', effects: [] }
}
