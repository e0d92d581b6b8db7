import type { GroupFacts, JoinSlot } from '../../model/cluster.ts'
import type { Effect } from '../effect.ts'
import { clusterEvent } from './cluster-event.ts'
import { freed } from './founding.ts'
import { takenOut } from './membership.ts'
import { type ClusterPicture, machineOf, slotOf } from './picture.ts'

/**
 * A restore left the founder in its slot, and the cluster is founded: in an epoch one machine founds under one id, so where
 * it answers beside a leader with quorum, that id is a member. It never asks for this step again, and a row that an operator
 * freed with its slot would have its data set aside.
 */
export function chainfireFounderIn(picture: ClusterPicture, slot: JoinSlot, facts: GroupFacts): Effect[] {
  const { cluster, nowMs } = picture
  if (slot.state !== 'suspect' || slot.action !== 'found' || slot.epoch !== cluster.founding.epoch) return []
  const row = picture.members.find(
    (other) => other.service === 'chainfire' && other.memberId === slot.memberId && other.state === 'joining',
  )
  if (row === undefined || !facts.healthyMachineIds.includes(row.machineId)) return []
  const isIn = facts.listed?.includes(row.memberId) ?? facts.list === 'absent'
  if (!isIn) return []
  const confirmedBy = facts.listed === undefined ? 'report' : 'list'
  return [
    { kind: 'put-slot', slot: freed(slot) },
    { kind: 'put-member', member: { ...row, state: 'member', confirmedBy } },
    clusterEvent(
      cluster,
      nowMs,
      'cluster.slot-freed',
      { step: slot.step, slot_no: slot.slotNo, why: 'the founder answers, and its cluster is founded' },
      machineOf(picture, row.machineId),
    ),
  ]
}

/**
 * FlareDB leads with quorum. A founder that said it was done, by a slot number that a restore has overtaken or in a slot
 * that an operator freed, is believed; a restored server takes what leads as founded, whatever its tables say of how far
 * that was.
 */
export function flaredbFounded(picture: ClusterPicture, facts: GroupFacts): Effect[] {
  const { cluster } = picture
  const row = picture.serviceFoundings.find((candidate) => candidate.service === 'flaredb')
  const { epoch, frozenBy } = cluster.founding
  const hasForgotten = frozenBy === 'restore' || frozenBy === 'take-over'
  if (row === undefined || row.state === 'none') {
    const done = { clusterId: cluster.id, service: 'flaredb', state: 'done', epoch } as const
    return hasForgotten ? [{ kind: 'put-service-founding', row: done }] : []
  }
  const slot = slotOf(picture, 'flaredb-cluster-join')
  const isFoundingSlot = slot.action === 'found' && slot.state !== 'server'
  if (row.state !== 'granted' || (slot.state !== 'free' && !isFoundingSlot)) return []
  const bootId = isFoundingSlot ? slot.bootId : machineOf(picture, row.machineId)?.currentBootId
  const hasSaidSo = picture.succeededSteps.has(`${bootId} ${slot.step}`)
  // Who holds the slot and has not said so is at work.
  if (!hasSaidSo && (!hasForgotten || slot.state === 'held')) return []
  const member = picture.members.find(
    (candidate) =>
      candidate.service === 'flaredb' &&
      (isFoundingSlot ? candidate.memberId === slot.memberId : candidate.bootId === bootId) &&
      (candidate.state === 'joining' || candidate.state === 'lost'),
  )
  // Its gate let it go on with data of an id that a restore forgot, so the older one is in no group.
  const hasNewer = picture.members.some(
    (other) =>
      other.service === 'flaredb' &&
      other.machineId === member?.machineId &&
      other.epoch === member.epoch &&
      other.state === 'member',
  )
  const isIn =
    member !== undefined &&
    !hasNewer &&
    (hasSaidSo ||
      (facts.listed?.includes(member.memberId) ?? facts.healthyMachineIds.includes(member.machineId)))
  return [
    { kind: 'put-service-founding', row: { ...row, state: 'done' } },
    ...(isFoundingSlot ? [{ kind: 'put-slot', slot: freed(slot) } as const] : []),
    ...(isIn ? [{ kind: 'put-member', member: { ...member, state: 'member' } } as const] : []),
    // Founded under an id that a restore has forgotten: what had the slot is in no group.
    ...(member !== undefined && !isIn && (member.state === 'joining' || hasNewer)
      ? [{ kind: 'put-member', member: takenOut(member) } as const]
      : []),
  ]
}
