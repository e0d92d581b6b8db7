import type { Cluster, Member, RaftService } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { servicesApiOf } from '../../model/services.ts'
import { mayHaveForgotten } from './founding.ts'
import { freshGroup } from './leaders.ts'

/** Whether the cluster's service has a call that removes a member (founding.md §6); without one a person does it. */
export function hasRemoveCall({ settings }: Cluster, service: RaftService): boolean {
  return typeof servicesApiOf(settings.servicesApi)[service]?.remove === 'string'
}

/** `node01.3`: the id of one life of a machine's data. */
export function memberIdOf(machineName: string, incarnation: number): string {
  return `${machineName}.${incarnation}`
}

/**
 * The incarnation after every earlier one of this machine, and of any other that had its name, over both Raft groups: fresh
 * data means a fresh member, and a box that replaces another under its name is one too.
 */
export function freshIncarnation(
  members: readonly Member[],
  { id, name }: Pick<Machine, 'id' | 'name'>,
  floor: number,
): number {
  return (
    members
      .filter((row) => row.machineId === id || machineNameOf(row.memberId) === name)
      .reduce((highest, row) => Math.max(highest, row.incarnation), floor) + 1
  )
}

/** The incarnation inside a member id; undefined when the text is not one of ours. */
export function incarnationOf(memberId: string): number | undefined {
  const match = /\.([1-9]\d{0,8})$/.exec(memberId)
  return match === null ? undefined : Number(match[1])
}

/** The machine's name inside a member id; undefined when the text is not one of ours. */
export function machineNameOf(memberId: string): string | undefined {
  return /^(.+)\.[1-9]\d{0,8}$/.exec(memberId)?.[1]
}

/** A marker in a data directory, `cluster_id:epoch:member_id`. */
export interface Marker {
  readonly clusterId: string
  readonly epoch: number
  readonly memberId: string
}

/** Reads a marker; undefined for an empty one (no data) and for text that is none. */
export function readMarker(text: string): Marker | undefined {
  const match = /^([^:]+):(\d{1,9}):([^:]+)$/.exec(text)
  if (match === null) return undefined
  const [, clusterId = '', epoch, memberId = ''] = match
  return { clusterId, epoch: Number(epoch), memberId }
}

/** True when the marker is that of this row's data. */
export function proves(marker: Marker | undefined, row: Member, clusterId: string): boolean {
  return marker !== undefined && marker.clusterId === clusterId && marker.memberId === row.memberId
}

/**
 * After a restore: a member id that was given before it (ids from then on are above the floor) and that the restored
 * rows of the service do not know, or know as given back unsent and so given again since. Its data is proof that it was
 * given, so it is a member until a list says otherwise.
 */
export function isForgotten(
  memberId: string,
  service: RaftService,
  members: readonly Member[],
  cluster: Cluster,
  nowMs: number,
): boolean {
  const { founding } = cluster
  const incarnation = incarnationOf(memberId)
  const listed = freshGroup(cluster, service, nowMs)?.listed
  return (
    mayHaveForgotten(founding) &&
    incarnation !== undefined &&
    incarnation <= founding.incarnationFloor &&
    listed?.includes(memberId) !== false &&
    !isKnown(members, service, memberId)
  )
}

/** True of a slot number that a restored server took from its backup: what came of it since may be forgotten. */
export function isFromBeforeRestore({ founding }: Cluster, slotNo: number | undefined): boolean {
  return mayHaveForgotten(founding) && slotNo !== undefined && slotNo <= founding.incarnationFloor
}

/** True when a row says what became of a member. One that was given back unsent may be given again under its id. */
export function isKnown(members: readonly Member[], service: RaftService, memberId: string): boolean {
  return members.some(
    (row) =>
      row.service === service &&
      row.memberId === memberId &&
      !(row.state === 'removed' && row.confirmedBy === 'report'),
  )
}

/** S13: it said that it is a member, by a slot that was not its own any more, and the list has not been asked since. */
export function isInByItsWord(row: Member): boolean {
  return row.state === 'joining' && row.confirmedBy === 'report'
}

/** Its slot was freed because the list did not name it, or its group did not grow: its join may have got in since. */
export function neverSeenIn(row: Member): boolean {
  return row.state === 'removed' && row.confirmedBy === 'list'
}

/** A row that its group does not name or count: a member is out; one on its way in, or lost there, was never seen in. */
export function notListed(row: Member): Member {
  return row.state === 'joining' || row.state === 'lost'
    ? { ...row, state: 'removed', confirmedBy: 'list' }
    : takenOut(row)
}

/**
 * The row of a member that is out by another's word. What confirmed that it was in goes with it: `removed` by `report`
 * means that its machine gave the id back unsent.
 */
export function takenOut(row: Member): Member {
  const { confirmedBy: _in, ...rest } = row
  return { ...rest, state: 'removed' }
}

/** The rows that may be in a service's group now: of the current epoch, and not known to be out of it. */
export function rowsInGroup(
  members: readonly Member[],
  cluster: Cluster,
  service: RaftService,
): readonly Member[] {
  return members.filter(
    (row) => row.service === service && row.epoch === cluster.founding.epoch && row.state !== 'removed',
  )
}

/**
 * What stands in the way of a machine's fresh data: an older member of its own that is still in the group, or may be.
 *
 * @returns undefined: nothing. `listed`: the list names it, the server removes it. `by-hand`: there is no list, or no call
 *   that removes; an operator removes it and says so.
 */
export function olderMemberIn(
  members: readonly Member[],
  cluster: Cluster,
  service: RaftService,
  machineId: string,
  nowMs: number,
): { readonly kind: 'listed' | 'by-hand'; readonly member: Member } | undefined {
  const own = members.filter((row) => row.service === service && row.machineId === machineId)
  const facts = freshGroup(cluster, service, nowMs)
  if (facts?.listed !== undefined) {
    const listed = own.find((row) => facts.listed?.includes(row.memberId))
    if (listed !== undefined)
      return { kind: hasRemoveCall(cluster, service) ? 'listed' : 'by-hand', member: listed }
  }
  const left = own.find(
    (row) => row.epoch === cluster.founding.epoch && (row.state === 'lost' || row.state === 'removing'),
  )
  if (left === undefined) return undefined
  // Without a CA nobody is asked; without a list call nobody can tell. Else the list will, once it is seen.
  const isByHand = facts?.list === 'absent' || cluster.settings.healthCa === undefined
  return { kind: isByHand ? 'by-hand' : 'listed', member: left }
}
