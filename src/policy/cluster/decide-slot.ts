import type { JoinSlot, Member } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { raftServiceOf } from '../first-boot/raft-step.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import { ACTIVE_WITHIN_MS, type ClusterReply } from './decide-move.ts'
import { freed } from './founding.ts'
import { freshGroup } from './leaders.ts'
import { rowsInGroup, takenOut } from './membership.ts'
import {
  type ClusterPicture,
  joinStepOf,
  machineOf,
  RAFT_SERVICES,
  slotHeardAtMs,
  slotOf,
} from './picture.ts'

/** S10: a suspect slot is free again because the operator knows its cause. Says what may be half done. */
export function decideSlotFree(picture: ClusterPicture, step: GatedStep): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const slot = slotOf(picture, step)
  if (slot.state !== 'suspect') {
    const cure =
      slot.state === 'held'
        ? 'wait: its holder is at work, or will be suspect when it stays silent'
        : `pilotlight cluster show ${cluster.name}`
    return refused(refusal(409, 'not-suspect', `the slot of ${step} is ${slot.state}`, cure))
  }
  const silentMs = nowMs - slotHeardAtMs(picture, slot)
  const holder = machineOf(picture, slot.machineId)
  if (silentMs < ACTIVE_WITHIN_MS) {
    return refused(
      refusal(
        409,
        'holder-active',
        `${holder?.name ?? 'its holder'} was heard ${Math.round(silentMs / 1000)} s ago`,
        'switch it off or let it finish, and wait a minute',
      ),
    )
  }
  const service = raftServiceOf(step)
  const row = picture.members.find(
    (member) => member.service === service && member.memberId === slot.memberId && member.state === 'joining',
  )
  // It said in this boot that it is a member, by a number that a restore has overtaken.
  const hasSaidSo =
    row !== undefined && row.bootId === slot.bootId && picture.succeededSteps.has(`${slot.bootId} ${step}`)
  const isFounder = row !== undefined && answersAsFounder(picture, slot, row)
  const half = hasSaidSo
    ? `${row.memberId} said that it is a member, and counts as one`
    : isFounder
      ? `${row.memberId} founded ${cluster.name} and answers: it counts as a member`
      : halfDone(slot, row)
  const state = hasSaidSo || isFounder ? 'member' : 'lost'
  const effects: Effect[] = [
    { kind: 'put-slot', slot: freed(slot) },
    ...(row === undefined ? [] : [{ kind: 'put-member', member: { ...row, state } } as const]),
    clusterEvent(
      cluster,
      nowMs,
      'cluster.slot-freed',
      { step, slot_no: slot.slotNo, why: 'operator', half },
      holder,
    ),
  ]
  return { reply: { kind: 'done', clusterId: cluster.id, notes: [half] }, reason: 'S10', effects }
}

/**
 * The cluster is founded, a restore left Chainfire's founder in its slot, and it answers as a member of what it founded: it
 * does not ask again. One that founds still does, and is told the same id.
 */
function answersAsFounder({ cluster, nowMs }: ClusterPicture, slot: JoinSlot, row: Member): boolean {
  if (cluster.founding.state !== 'founded' || row.service !== 'chainfire' || slot.action !== 'found')
    return false
  return freshGroup(cluster, 'chainfire', nowMs)?.healthyMachineIds.includes(row.machineId) === true
}

function halfDone(slot: JoinSlot, row: Member | undefined): string {
  switch (slot.action) {
    case 'found':
      return 'its service may have been founded there: that machine goes on with it, or founding move gives it to another'
    case 'setup':
      return 'the administrator may exist already: setting up is repeated with the same password'
    default:
      return `${row?.memberId ?? slot.memberId ?? 'its member'} may be in the group: the server removes it when the list names it; without a list, look, remove it by hand and member forget it`
  }
}

/** A member that an operator has removed by hand is out, also for our rows. */
export function decideMemberForget(
  picture: ClusterPicture,
  memberId: string,
  isForced: boolean,
): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  // An id may be a living member of one group and the remains of one in the other: the remains are meant.
  const all = picture.members.filter((row) => row.memberId === memberId && row.state !== 'removed')
  const remains = all.filter((row) => row.state !== 'member')
  const rows = remains.length > 0 ? remains : all
  if (rows.length === 0) {
    return refused(
      refusal(
        409,
        'member-unknown',
        `${cluster.name} has no member ${memberId} to forget`,
        `pilotlight cluster show ${cluster.name}`,
      ),
    )
  }
  for (const row of rows) {
    const wrong = lastVoterFault(picture, row) ?? forgetFault(picture, row, isForced)
    if (wrong !== undefined) return refused(wrong)
  }
  const effects: Effect[] = rows.map((row) => ({ kind: 'put-member', member: takenOut(row) }))
  for (const service of RAFT_SERVICES) {
    const slot = slotOf(picture, joinStepOf(service))
    const isIts = slot.memberId === memberId && rows.some((row) => row.service === service)
    if (isIts && slot.state !== 'free' && slot.state !== 'held') {
      effects.push({ kind: 'put-slot', slot: freed(slot) })
    }
  }
  effects.push(
    clusterEvent(
      cluster,
      nowMs,
      'cluster.member-forgotten',
      { member_id: memberId, forced: isForced },
      machineOf(picture, rows[0]?.machineId),
    ),
  )
  const notes = [`${memberId} counts as removed`]
  return { reply: { kind: 'done', clusterId: cluster.id, notes }, reason: 'forgotten', effects }
}

/** A group that nobody is left in cannot be joined: its last voter is not forgotten, the cluster is founded anew. */
function lastVoterFault(picture: ClusterPicture, row: Member): Refusal | undefined {
  const { cluster } = picture
  if (!row.voter || row.epoch !== cluster.founding.epoch) return undefined
  const others = rowsInGroup(picture.members, cluster, row.service).filter(
    (other) => other.voter && other.memberId !== row.memberId,
  )
  if (others.length > 0 || neverBegan(picture, row)) return undefined
  const machine = machineOf(picture, row.machineId)?.name ?? 'MACHINE'
  const cure =
    row.service === 'chainfire'
      ? `pilotlight cluster refound ${cluster.name} --machine ${machine}`
      : `pilotlight cluster founding move ${cluster.name} --service flaredb --to ${machine}`
  return refusal(409, 'sole-member', `${row.memberId} is the only voter of ${row.service}`, cure)
}

/** What is left of a founder whose FlareDB nobody has said to be founded: there is no group that anybody could join. */
function neverBegan({ serviceFoundings }: ClusterPicture, row: Member): boolean {
  const founding = serviceFoundings.find((candidate) => candidate.service === row.service)
  return founding?.state === 'granted' && founding.machineId === row.machineId && row.state !== 'member'
}

function forgetFault(picture: ClusterPicture, row: Member, isForced: boolean): Refusal | undefined {
  const { cluster, nowMs } = picture
  const facts = freshGroup(cluster, row.service, nowMs)
  const known = cluster.probe.groups?.[row.service]?.list ?? 'unknown'
  if (facts?.listed?.includes(row.memberId)) {
    return refusal(
      409,
      'still-listed',
      `the list of ${row.service} names ${row.memberId}`,
      `remove it from ${row.service} first; the server does so itself for a machine that is reprovisioned`,
    )
  }
  const slot = slotOf(picture, joinStepOf(row.service))
  const isAlive = row.state === 'member' && facts?.healthyMachineIds.includes(row.machineId) === true
  if (isAlive || (slot.state === 'held' && slot.memberId === row.memberId)) {
    return refusal(
      409,
      'still-listed',
      `${row.memberId} runs as a member of ${row.service}`,
      'remove it from its group first, or switch its machine off',
    )
  }
  if (isForced || known === 'absent') return undefined
  if (facts?.listed !== undefined && facts.result === 'leader-quorum') return undefined
  return refusal(
    409,
    'list-unreachable',
    `the members of ${row.service} cannot be listed just now`,
    'see that the server reaches the leader, or --force when you know that it is out',
  )
}

function refused(reply: Refusal): Decision<ClusterReply> {
  return { reply, reason: reply.code, effects: [] }
}
