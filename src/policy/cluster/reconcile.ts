import type { GroupFacts, JoinSlot, Member, RaftService } from '../../model/cluster.ts'
import type { Effect } from '../effect.ts'
import { clusterEvent } from './cluster-event.ts'
import { freed } from './founding.ts'
import { isInByItsWord, notListed, rowsInGroup } from './membership.ts'
import { type ClusterPicture, joinStepOf, machineOf, slotOf } from './picture.ts'
import { beginRemoval } from './removal.ts'
import { chainfireFounderIn, flaredbFounded } from './seen-founder.ts'
import { forgottenMembers } from './take-list.ts'

/** What a round in which the service has a leader with quorum says of its slot, its rows, and of who should be out. */
export function reconcile(picture: ClusterPicture, service: RaftService, facts: GroupFacts): Effect[] {
  if (facts.result !== 'leader-quorum' || facts.differs) return []
  const slot = slotOf(picture, joinStepOf(service))
  const effects: Effect[] = []
  if (service === 'flaredb') effects.push(...freeSetup(picture), ...flaredbFounded(picture, facts))
  const said = holderSaidSo(picture, service, slot, facts)
  if (said !== undefined) return [...effects, ...said]
  if (service === 'chainfire') effects.push(...chainfireFounderIn(picture, slot, facts))
  if (slot.state === 'suspect' && slot.action === 'join')
    effects.push(...suspectJoin(picture, service, slot, facts))
  if (facts.listed === undefined) return [...effects, ...saidWithoutList(picture, service, slot, facts)]
  const forgotten = forgottenMembers(picture, service, facts.listed)
  effects.push(...forgotten)
  effects.push(...rowsByList(picture, service, slot, facts.listed))
  // Who was only forgotten is a member from the next round on, and not to be removed in this.
  if (slot.state === 'free' && forgotten.length === 0)
    effects.push(...dueRemoval(picture, service, facts.listed, facts.learners))
  return effects
}

/**
 * A slot whose holder said in this boot that its step succeeded, by a number that a restore has overtaken: it never asks
 * the gate again, and is no more silent than others. The list decides; without one its word does.
 */
function holderSaidSo(
  picture: ClusterPicture,
  service: RaftService,
  slot: JoinSlot,
  facts: GroupFacts,
): Effect[] | undefined {
  // FlareDB's founding is settled with its own row, by flaredbFounded.
  if (service === 'flaredb' && slot.action === 'found') return undefined
  if (slot.state !== 'held' && slot.state !== 'suspect') return undefined
  if (!picture.succeededSteps.has(`${slot.bootId} ${slot.step}`)) return undefined
  const row = picture.members.find((other) => other.service === service && other.memberId === slot.memberId)
  if (row === undefined || facts.listed?.includes(row.memberId) === false) {
    return slot.state === 'held' ? [{ kind: 'put-slot', slot: { ...slot, state: 'suspect' } }] : undefined
  }
  const confirmedBy = facts.listed === undefined ? 'report' : 'list'
  return [
    { kind: 'put-slot', slot: freed(slot) },
    { kind: 'put-member', member: { ...row, state: 'member', confirmedBy } },
    slotEvent(picture, slot, 'cluster.slot-freed', 'its holder said that it is a member'),
  ]
}

/** S7 and S8: did the join of a holder that went silent get in? */
function suspectJoin(
  picture: ClusterPicture,
  service: RaftService,
  slot: JoinSlot,
  facts: GroupFacts,
): Effect[] {
  const { cluster, nowMs } = picture
  const row = picture.members.find(
    (candidate) => candidate.service === service && candidate.memberId === slot.memberId,
  )
  if (row === undefined) return [{ kind: 'put-slot', slot: freed(slot) }]
  if (facts.listed === undefined) return suspectWithoutList(picture, service, slot, row, facts)
  if (!facts.listed.includes(row.memberId)) {
    return [
      { kind: 'put-slot', slot: freed(slot) },
      { kind: 'put-member', member: notListed(row) },
      slotEvent(picture, slot, 'cluster.slot-freed', 'the list does not name it'),
    ]
  }
  const isAlive =
    facts.healthyMachineIds.includes(row.machineId) &&
    row.bootId === machineOf(picture, row.machineId)?.currentBootId
  const isLearner = facts.learners?.includes(row.memberId) === true
  if (isAlive && row.voter && isLearner) return learnerWaits(picture, slot, row)
  if (isAlive && row.state === 'joining') {
    return [
      { kind: 'put-slot', slot: freed(slot) },
      { kind: 'put-member', member: { ...row, state: 'member', confirmedBy: 'list' } },
      slotEvent(picture, slot, 'cluster.slot-freed', 'the list names it and it is healthy'),
    ]
  }
  const removal = beginRemoval(picture, service, row, 'down', { isLearner })
  if (removal.kind === 'begun') return [...removal.effects]
  if (slot.noted === 'dead') return []
  return [
    { kind: 'put-slot', slot: { ...slot, noted: 'dead' } },
    clusterEvent(cluster, nowMs, 'cluster.removal-waits', {
      member_id: row.memberId,
      service,
      why: removal.why,
    }),
  ]
}

/** It joined as a learner, lives, and its node has not promoted it: the node asks its gate again, and then does. */
function learnerWaits(picture: ClusterPicture, slot: JoinSlot, row: Member): Effect[] {
  if (slot.noted === 'learner') return []
  const name = machineOf(picture, row.machineId)?.name ?? 'MACHINE'
  const why = `${row.memberId} is a learner and was not promoted; on ${name}: systemctl restart ${slot.step}`
  return [
    { kind: 'put-slot', slot: { ...slot, noted: 'learner' } },
    slotEvent(picture, slot, 'cluster.learner-waits', why),
  ]
}

/** S8: without a list only the size tells, and only when it is exactly what it was before. */
function suspectWithoutList(
  picture: ClusterPicture,
  service: RaftService,
  slot: JoinSlot,
  row: Member,
  facts: GroupFacts,
): Effect[] {
  const before = rowsInGroup(picture.members, picture.cluster, service).filter(
    (other) => other.voter && other.memberId !== row.memberId,
  ).length
  if (facts.toldVoters !== undefined && facts.toldVoters === before) {
    return [
      { kind: 'put-slot', slot: freed(slot) },
      { kind: 'put-member', member: notListed(row) },
      slotEvent(picture, slot, 'cluster.slot-freed', 'the size of the cluster did not grow'),
    ]
  }
  if (slot.noted === 'by-hand') return []
  return [
    { kind: 'put-slot', slot: { ...slot, noted: 'by-hand' } },
    slotEvent(
      picture,
      slot,
      'cluster.confirm-by-hand',
      `nobody can tell whether ${row.memberId} is a member: look, then pilotlight cluster slot free ${picture.cluster.name} ${slot.step}`,
    ),
  ]
}

/** S9: setting IAM up can be repeated, so its slot is free as soon as FlareDB is well. */
function freeSetup(picture: ClusterPicture): Effect[] {
  const slot = slotOf(picture, 'iam-initial-setup')
  if (slot.state !== 'suspect') return []
  return [
    { kind: 'put-slot', slot: freed(slot) },
    slotEvent(picture, slot, 'cluster.slot-freed', 'setting up can be repeated'),
  ]
}

/** Rows that the list settles: those that are out are removed, and one that got in late after all is a member. */
function rowsByList(
  picture: ClusterPicture,
  service: RaftService,
  slot: JoinSlot,
  listed: readonly string[],
): Effect[] {
  const effects: Effect[] = []
  for (const row of picture.members) {
    if (row.service !== service || row.epoch !== picture.cluster.founding.epoch) continue
    if (slot.state !== 'free' && slot.memberId === row.memberId) continue
    const isListed = listed.includes(row.memberId)
    if (!isListed && (row.state === 'lost' || row.state === 'removing' || isInByItsWord(row))) {
      effects.push({ kind: 'put-member', member: notListed(row) })
    }
    if (!isListed && row.state === 'member') {
      // The round began after the row was one, so its leader knew of it then: somebody took it out by other means.
      const { cluster, nowMs } = picture
      effects.push(
        { kind: 'put-member', member: notListed(row) },
        clusterEvent(
          cluster,
          nowMs,
          'cluster.member-not-listed',
          {
            service,
            member_id: row.memberId,
            cure: `boot it again: pilotlight machine arm ${machineOf(picture, row.machineId)?.name ?? 'MACHINE'}`,
          },
          machineOf(picture, row.machineId),
        ),
      )
    }
    if (isListed && cameInLate(picture, service, row)) {
      effects.push({ kind: 'put-member', member: { ...row, state: 'member', confirmedBy: 'list' } })
    }
  }
  return effects
}

/**
 * S13 where there is no list: it said in this boot that it is in, by a slot that was not its own any more, and answers. Who
 * an operator took out by hand stays out, for its group does not count it.
 */
function saidWithoutList(
  picture: ClusterPicture,
  service: RaftService,
  slot: JoinSlot,
  facts: GroupFacts,
): Effect[] {
  if (facts.list !== 'absent') return []
  const known = rowsInGroup(picture.members, picture.cluster, service).filter((row) => row.voter).length
  // S8 freed its slot before it got in: its group counts one voter more than we know.
  const isMissed = facts.toldVoters !== undefined && facts.toldVoters > known
  const isUncounted = facts.toldVoters !== undefined && facts.toldVoters < known
  return picture.members
    .filter(
      (row) =>
        row.service === service &&
        row.epoch === picture.cluster.founding.epoch &&
        (row.state === 'lost' || isInByItsWord(row) || (row.state === 'removed' && isMissed)) &&
        (slot.state === 'free' || slot.memberId !== row.memberId) &&
        facts.healthyMachineIds.includes(row.machineId) &&
        cameInLate(picture, service, row),
    )
    .map(
      (row): Effect => ({
        kind: 'put-member',
        member:
          isInByItsWord(row) && isUncounted
            ? notListed(row)
            : { ...row, state: 'member', confirmedBy: 'report' },
      }),
    )
}

/** S13's member: it said that it is in, by a slot that was not its own any more, and the list agrees. */
function cameInLate(picture: ClusterPicture, service: RaftService, row: Member): boolean {
  if (row.state === 'member' || row.state === 'removing') return false
  const isCurrent = machineOf(picture, row.machineId)?.currentBootId === row.bootId
  return isCurrent && picture.succeededSteps.has(`${row.bootId} ${joinStepOf(service)}`)
}

/** S11: an old member of a rebooted machine that the list still names. One at a time: a removal takes the slot. */
function dueRemoval(
  picture: ClusterPicture,
  service: RaftService,
  listed: readonly string[],
  learners: readonly string[] = [],
): Effect[] {
  const due = picture.members.find(
    (row) =>
      row.service === service &&
      listed.includes(row.memberId) &&
      (row.state === 'lost' || row.state === 'removed' || row.state === 'removing') &&
      !cameInLate(picture, service, row),
  )
  if (due === undefined) return []
  const isLearner = learners.includes(due.memberId)
  const removal = beginRemoval(picture, service, due, 'down', { isLearner })
  return removal.kind === 'begun' ? [...removal.effects] : []
}

function slotEvent(picture: ClusterPicture, slot: JoinSlot, type: string, why: string): Effect {
  const { cluster, nowMs } = picture
  return clusterEvent(
    cluster,
    nowMs,
    type,
    { step: slot.step, slot_no: slot.slotNo, why },
    machineOf(picture, slot.machineId),
  )
}
