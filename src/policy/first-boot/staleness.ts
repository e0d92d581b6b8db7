import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'

export type Staleness = 'stale-boot' | 'stale-cluster' | 'stale-epoch'

/**
 * The epoch fence: a boot that another has followed, or that is bound to another epoch than the cluster's, changes
 * nothing any more. One that is not bound yet waits at the gate and learns the epoch from its 200. While the cluster is
 * frozen its epoch may be an old one, so a boot that resumed by a younger marker is not stale. Epochs count for one
 * cluster: a boot of the one that its machine was in before says nothing in this.
 *
 * @param configuredFor the cluster whose configuration this boot redeemed.
 */
export function stalenessOf(
  machine: Machine,
  attempt: BootAttempt,
  cluster: Cluster | undefined,
  configuredFor: string,
): Staleness | undefined {
  if (attempt.status !== 'current' || machine.currentBootId !== attempt.bootId) return 'stale-boot'
  if (cluster !== undefined && configuredFor !== cluster.id) return 'stale-cluster'
  if (attempt.passEpoch === undefined || cluster === undefined) return undefined
  const { epoch, state } = cluster.founding
  const isOther = state === 'frozen' ? attempt.passEpoch < epoch : attempt.passEpoch !== epoch
  return isOther ? 'stale-epoch' : undefined
}
