import type { Member, RaftService } from '../../model/cluster.ts'
import { mayFollow } from '../cluster/follow-epoch.ts'
import { mayHaveForgotten } from '../cluster/founding.ts'
import { knownLeader } from '../cluster/leaders.ts'
import {
  isForgotten,
  isInByItsWord,
  type Marker,
  neverSeenIn,
  proves,
  readMarker,
} from '../cluster/membership.ts'
import type { GateRequest, GateSnapshot } from './gate-snapshot.ts'
import { joinPassage } from './join-passage.ts'
import { joiningRow } from './joining-row.ts'
import { type Passage, shut } from './passage.ts'

/** What data on the disk means; undefined: there is none, and the machine joins. */
export function resumeOrAside(
  snapshot: GateSnapshot,
  service: RaftService,
  request: GateRequest,
): Passage | undefined {
  if (request.marker === '') return undefined
  const { cluster, machine, slot } = snapshot
  const { epoch } = cluster.founding
  const marker = readMarker(request.marker)
  const isForeign = shut(
    'foreign-data',
    'its data directory holds the data of another member, cluster or epoch',
  )
  if (marker === undefined || !isOwnData(snapshot, service, marker)) return isForeign
  const row = ownRows(snapshot, service).find((candidate) => proves(marker, candidate, cluster.id))
  // A member id is given once, so it proves more than the epoch: after F18 the row's may be younger than the marker's.
  if (row?.epoch === epoch) {
    if (row.state === 'member' || isInByItsWord(row))
      return { kind: 'free-pass', action: 'resume', row, epoch }
    if (row.state === 'removing') return shut('being-removed', `${row.memberId} is being removed`, true)
    const isItsSlot = slot.state !== 'free' && slot.machineId === machine.id && slot.memberId === row.memberId
    if (row.state === 'joining' && isItsSlot && slot.action !== undefined && slot.action !== 'skip') {
      const leaderUrl = knownLeader(cluster, service, snapshot.nowMs)
      const action = slot.action === 'found' ? 'found' : 'join'
      return { kind: 'needs-slot', action, ...(leaderUrl === undefined ? {} : { leaderUrl }) }
    }
    if (neverSeenIn(row)) {
      // The list did not name it, and its join may have got in since: asked again, the leader says so or takes it in.
      const others = snapshot.members.filter((other) => other !== row)
      const again = joinPassage({ ...snapshot, members: others }, service)
      return again.kind === 'needs-slot' ? { ...again, memberId: row.memberId } : again
    }
  }
  // Data of an epoch before the one that the cluster goes on in is that of the group which a refound gave up.
  const isOfBefore = marker.epoch < epoch || (service === 'flaredb' && isFoundedSinceRestore(snapshot))
  if (!isOfBefore && isForgotten(marker.memberId, service, snapshot.members, cluster, snapshot.nowMs)) {
    const row = forgottenRow(snapshot, service, marker.memberId)
    if (service === 'chainfire' && mayFollow(snapshot, marker.epoch))
      return {
        kind: 'free-pass',
        action: 'resume',
        row: { ...row, epoch: marker.epoch },
        epoch: marker.epoch,
      }
    return { kind: 'free-pass', action: 'resume', row, epoch }
  }
  // A restored server may have forgotten epochs, so a younger one is no proof of another cluster.
  return row === undefined && marker.epoch > epoch && !mayHaveForgotten(cluster.founding)
    ? isForeign
    : { kind: 'free-pass', action: 'set-aside', epoch }
}

/**
 * Slot numbers from before a restore are below its floor: FlareDB was founded by one above it, so an operator gave up the
 * group that was there (`founding move --service flaredb`), and data of that one is no member's.
 */
function isFoundedSinceRestore({ cluster, serviceFoundings }: GateSnapshot): boolean {
  const row = serviceFoundings.find((candidate) => candidate.service === 'flaredb')
  return mayHaveForgotten(cluster.founding) && (row?.slotNo ?? 0) > cluster.founding.incarnationFloor
}

/** The row that the tables should have: it joined in another boot, and counts as a member. */
function forgottenRow(snapshot: GateSnapshot, service: RaftService, memberId: string): Member {
  return { ...joiningRow(snapshot, service, memberId), bootId: '', state: 'member', confirmedBy: 'report' }
}

/** By the id of one of its lives, or by its name where that life was forgotten; a machine that was renamed has ids of both. */
export function isOwnData(snapshot: GateSnapshot, service: RaftService, marker: Marker): boolean {
  const { cluster, machine } = snapshot
  if (marker.clusterId !== cluster.id) return false
  return (
    marker.memberId.startsWith(`${machine.name}.`) ||
    ownRows(snapshot, service).some((row) => row.memberId === marker.memberId)
  )
}

/** The machine's rows in this service, of all its lives. */
export function ownRows(snapshot: GateSnapshot, service: RaftService): readonly Member[] {
  return snapshot.members.filter((row) => row.service === service && row.machineId === snapshot.machine.id)
}
