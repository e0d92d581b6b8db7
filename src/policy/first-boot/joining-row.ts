import type { Member, RaftService } from '../../model/cluster.ts'
import { isControlPlane } from '../../model/machine.ts'
import { freshIncarnation, incarnationOf, memberIdOf } from '../cluster/membership.ts'
import type { GateSnapshot } from './gate-snapshot.ts'

/**
 * The id that fresh data gets: that of this boot's other group where this group never knew it, or the one that this
 * boot was given and never sent, or never got in by; else one that nobody ever had.
 */
export function newMemberId(snapshot: GateSnapshot, service: RaftService): string {
  const own = snapshot.members.filter((row) => row.machineId === snapshot.machine.id)
  const ofBoot = own.filter((row) => row.bootId === snapshot.attempt.bootId)
  // What asks in its name may be a repeat on the wire, while the machine acts on the first answer still.
  const given = ofBoot.find(
    (row) => row.service === service && row.state === 'removed' && row.confirmedBy !== undefined,
  )
  if (given !== undefined) return given.memberId
  const other = ofBoot.find((row) => row.service !== service && row.state !== 'removed')
  const isKnown = own.some((row) => row.service === service && row.memberId === other?.memberId)
  const floor = snapshot.cluster.founding.incarnationFloor
  // An id from before a restore may have been given in this group too, and forgotten.
  if (other !== undefined && !isKnown && other.incarnation > floor) return other.memberId
  return memberIdOf(snapshot.machine.name, freshIncarnation(snapshot.members, snapshot.machine, floor))
}

/** The row of a member that is on its way in. */
export function joiningRow(snapshot: GateSnapshot, service: RaftService, memberId: string): Member {
  const { cluster, machine, attempt } = snapshot
  const incarnation = incarnationOf(memberId)
  if (incarnation === undefined) throw new Error(`${memberId} is no member id of ours`)
  return {
    clusterId: cluster.id,
    service,
    machineId: machine.id,
    incarnation,
    memberId,
    address: snapshot.address,
    voter: isControlPlane(machine.role),
    epoch: cluster.founding.epoch,
    bootId: attempt.bootId,
    state: 'joining',
  }
}
