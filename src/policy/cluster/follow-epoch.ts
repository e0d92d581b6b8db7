import type { Effect } from '../effect.ts'
import { clusterEvent } from './cluster-event.ts'
import { mayHaveForgotten, newStart } from './founding.ts'
import { knownLeader } from './leaders.ts'
import type { ClusterPicture } from './picture.ts'

/** What both a picture and a gate's snapshot hold. */
type Seen = Pick<ClusterPicture, 'cluster' | 'members' | 'nowMs'>

/**
 * A restore may have undone a `refound`: a machine then brings the data of an epoch younger than the tables know. Theirs is
 * the group that lives, as long as nobody has been let into the older one since, no list has named its members (F18: then
 * the younger one's may be in it), and nobody is seen to lead it.
 */
export function mayFollow(seen: Seen, epoch: number): boolean {
  const { founding } = seen.cluster
  const hasJoinedSince = seen.members.some(
    (row) =>
      row.epoch === founding.epoch &&
      row.state !== 'lost' &&
      row.state !== 'removed' &&
      (row.incarnation > founding.incarnationFloor || row.confirmedBy === 'list'),
  )
  return (
    founding.state === 'founded' &&
    mayHaveForgotten(founding) &&
    epoch > founding.epoch &&
    !hasJoinedSince &&
    knownLeader(seen.cluster, 'chainfire', seen.nowMs) === undefined
  )
}

/** The cluster goes on in the younger epoch: boots of the older one are stale, and what was under way in it is over (E1). */
export function followEpoch(
  {
    cluster,
    slots,
    serviceFoundings,
    members,
    nowMs,
  }: Pick<ClusterPicture, 'slots' | 'serviceFoundings'> & Seen,
  epoch: number,
): Effect[] {
  const { holderMachineId: _machine, holderBootId: _boot, ...founding } = cluster.founding
  const nextEpoch = Math.max(founding.nextEpoch, epoch + 1)
  return [
    {
      kind: 'put-founding',
      clusterId: cluster.id,
      founding: { ...founding, epoch, nextEpoch, foundedAtMs: nowMs },
    },
    ...newStart(slots, serviceFoundings, members),
    // Where the younger group's list names one of them after all, it is removed and joins anew.
    ...members
      .filter((row) => row.epoch === cluster.founding.epoch && row.state === 'member')
      .map((row): Effect => ({ kind: 'put-member', member: { ...row, state: 'lost' } })),
    clusterEvent(cluster, nowMs, 'cluster.epoch-followed', { from: founding.epoch, to: epoch }),
  ]
}
