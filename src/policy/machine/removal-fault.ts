import type { Member } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { hasRemoveCall, rowsInGroup } from '../cluster/membership.ts'
import { type ClusterPicture, joinStepOf, RAFT_SERVICES, slotOf } from '../cluster/picture.ts'
import { majorityOf, quorumGuard } from '../cluster/quorum.ts'
import { beginRemoval } from '../cluster/removal.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** What takes a machine's members out of both groups, or why that must not be. */
export type MachineRemoval =
  | { readonly kind: 'begun'; readonly effects: readonly Effect[]; readonly memberIds: readonly string[] }
  | Refusal

/**
 * Begins the removal of all living members of a machine, each with its own guard, in this very unit. `isForced` passes
 * over the guard alone: a change in flight and a missing call stay in the way.
 */
export function removeFromGroups(
  picture: ClusterPicture,
  machine: Machine,
  isForced: boolean,
): MachineRemoval {
  const { cluster } = picture
  const effects: Effect[] = []
  const memberIds: string[] = []
  for (const service of RAFT_SERVICES) {
    const row = livingRow(picture, machine, service)
    if (row === undefined) continue
    const voters = rowsInGroup(picture.members, cluster, service).filter((other) => other.voter)
    if (row.voter && voters.length === 1 && !isForced) {
      return refusal(
        409,
        'sole-member',
        `${machine.name} is the only voter of ${service}`,
        `add another control-plane machine first; or, when all state may go: pilotlight cluster refound ${cluster.name} --machine ${machine.name}`,
      )
    }
    const slot = slotOf(picture, joinStepOf(service))
    if (row.state === 'removing') continue
    if (slot.state !== 'free' && !(slot.state === 'suspect' && slot.memberId === row.memberId)) {
      return refusal(
        409,
        'change-in-flight',
        `another membership change of ${service} is under way (slot ${slot.slotNo}, ${slot.state})`,
        `wait for it: pilotlight cluster show ${cluster.name}`,
      )
    }
    const facts = picture.cluster.probe.groups?.[service]
    if ((facts?.list === 'absent' && row.voter) || !hasRemoveCall(cluster, service)) {
      return refusal(
        409,
        'removal-by-hand',
        `${service} of ${cluster.name} has no call that lists members, or none that removes them`,
        `remove ${row.memberId} by hand, then pilotlight cluster member forget ${cluster.name} ${row.memberId}`,
      )
    }
    const removal = beginRemoval(picture, service, row, 'up', { isForced })
    if (removal.kind === 'refused') return quorumRefusal(picture, machine, row)
    effects.push(...removal.effects)
    memberIds.push(row.memberId)
  }
  return { kind: 'begun', effects, memberIds: [...new Set(memberIds)] }
}

/** The member of a machine that is in a group now, or on its way in or out. */
export function livingRow(
  picture: ClusterPicture,
  machine: Machine,
  service: Member['service'],
): Member | undefined {
  return rowsInGroup(picture.members, picture.cluster, service).find(
    (row) => row.machineId === machine.id && row.state !== 'lost',
  )
}

function quorumRefusal(picture: ClusterPicture, machine: Machine, row: Member): Refusal {
  const { service } = row
  const guard = quorumGuard(picture, service, machine.id, 'up')
  const stay = `${guard.healthy} of ${guard.voters} voters of ${service} would stay, ${majorityOf(guard.voters - 1)} healthy ones are needed`
  return refusal(
    409,
    'quorum',
    guard.isBlind ? `nobody knows which voters of ${service} are healthy: no answer in the last 10 s` : stay,
    guard.isBlind
      ? `see that the server reaches the members (pilotlight cluster show ${picture.cluster.name}), or --force`
      : 'bring the other voters up first, or --force',
  )
}
