import type { GroupFacts, Member, RaftService } from '../../model/cluster.ts'
import type { Effect } from '../effect.ts'
import { mayHaveForgotten } from './founding.ts'
import { incarnationOf, isKnown, machineNameOf, notListed } from './membership.ts'
import { type ClusterPicture, joinStepOf, slotOf } from './picture.ts'

/** F18: the rows of a service become what its list says, in the epoch that counts now. */
export function listedMembers(
  picture: ClusterPicture,
  service: RaftService,
  facts: GroupFacts,
  epoch: number,
): Effect[] {
  const { listed } = facts
  if (listed === undefined || facts.differs) return []
  const effects: Effect[] = []
  for (const memberId of listed) {
    const row = picture.members.find(
      (candidate) => candidate.service === service && candidate.memberId === memberId,
    )
    const member = row ?? unknownMember(picture, service, memberId)
    if (member !== undefined) {
      effects.push({ kind: 'put-member', member: { ...member, epoch, state: 'member', confirmedBy: 'list' } })
    }
  }
  for (const row of picture.members) {
    if (row.service !== service || row.state === 'removed' || listed.includes(row.memberId)) continue
    if (isOnItsWay(picture, row)) {
      // It may get in a moment after this list: its slot is suspect, and the next round says what became of it (S7).
      effects.push({ kind: 'put-member', member: { ...row, epoch } })
      continue
    }
    effects.push({ kind: 'put-member', member: notListed(row) })
  }
  return effects
}

function isOnItsWay(picture: ClusterPicture, row: Member): boolean {
  const slot = slotOf(picture, joinStepOf(row.service))
  const isItsSlot = slot.state !== 'free' && slot.memberId === row.memberId
  return row.state === 'joining' && slot.action === 'join' && isItsSlot
}

/**
 * After a restore: members that the list names and that have no row, because they joined by a pass from before it. They
 * count as what they are, so that the guard counts them and an operator can name them.
 */
export function forgottenMembers(
  picture: ClusterPicture,
  service: RaftService,
  listed: readonly string[],
): Effect[] {
  const { founding } = picture.cluster
  if (!mayHaveForgotten(founding)) return []
  return listed
    .filter((memberId) => !isKnown(picture.members, service, memberId))
    .flatMap((memberId): Effect[] => {
      const member = unknownMember(picture, service, memberId)
      if (member === undefined) return []
      return [{ kind: 'put-member', member: { ...member, state: 'member', confirmedBy: 'list' } }]
    })
}

/** A member that a restored database has forgotten, or never knew. */
function unknownMember(
  picture: ClusterPicture,
  service: RaftService,
  memberId: string,
): Omit<Member, 'state'> | undefined {
  const machine = picture.machines.find((candidate) => candidate.name === machineNameOf(memberId))
  const incarnation = incarnationOf(memberId)
  const address = picture.addresses.get(machine?.id ?? '')
  if (machine === undefined || incarnation === undefined || address === undefined) return undefined
  return {
    clusterId: picture.cluster.id,
    service,
    machineId: machine.id,
    incarnation,
    memberId,
    address,
    voter: machine.role !== 'worker',
    epoch: picture.cluster.founding.epoch,
    bootId: machine.currentBootId ?? '',
  }
}
