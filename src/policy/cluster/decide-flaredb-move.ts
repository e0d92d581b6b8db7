import type { Member, ServiceFounding } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { heldFor } from '../machine/decide-hold.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import { activeFault, type ClusterReply } from './decide-move.ts'
import { isFlaredbLost } from './decide-tick.ts'
import { discardFault } from './discard-state.ts'
import { freed } from './founding.ts'
import { freshGroup } from './leaders.ts'
import { isFromBeforeRestore, rowsInGroup, takenOut } from './membership.ts'
import { attemptOf, type ClusterPicture, machineOf, slotHeardAtMs, slotOf } from './picture.ts'

export interface FlaredbMoveWish {
  readonly to: Machine
  /** The operator says that the old one is switched off, though it was heard a moment ago. */
  readonly isHolderOff: boolean
  /** The cluster's name, typed by the operator who gives up what state FlareDB may have. */
  readonly discardsStateOf?: string
}

/**
 * FlareDB is founded by another machine: where its first one died in mid-founding, or where FlareDB alone has lost its
 * state while Chainfire lives (docs/decisions/0006-founding-gaps.md). The machine that had it is fenced. A group that nobody
 * leads and that nobody is known to have lost is given up by name only.
 */
export function decideFlaredbMove(picture: ClusterPicture, wish: FlaredbMoveWish): Decision<ClusterReply> {
  const { to, isHolderOff } = wish
  const { cluster, nowMs } = picture
  const row = picture.serviceFoundings.find((candidate) => candidate.service === 'flaredb')
  const isStateGone = row?.state === 'done' && (isFlaredbLost(picture) || wish.discardsStateOf !== undefined)
  const wrong = moveFault(picture, row, wish)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const slot = slotOf(picture, 'flaredb-cluster-join')
  const before = machineOf(picture, row?.machineId)
  const iam = picture.serviceFoundings.find((candidate) => candidate.service === 'iam')
  const out = picture.members.filter(
    (member) =>
      member.service === 'flaredb' && member.epoch === cluster.founding.epoch && member.state !== 'removed',
  )
  const effects: Effect[] = [
    {
      kind: 'put-service-founding',
      row: {
        clusterId: cluster.id,
        service: 'flaredb',
        state: 'granted',
        epoch: cluster.founding.epoch,
        machineId: to.id,
      },
    },
    ...(isStateGone && iam !== undefined
      ? [{ kind: 'put-service-founding', row: { ...iam, state: 'none' } } as const]
      : []),
    { kind: 'put-slot', slot: freed(slot) },
    // Out of the group that is given up, not lost in the one that begins.
    ...out.map((member: Member): Effect => ({ kind: 'put-member', member: takenOut(member) })),
    ...(before === undefined || isStateGone ? [] : fenced(before, nowMs)),
    clusterEvent(
      cluster,
      nowMs,
      'cluster.flaredb-moved',
      {
        from: before?.name ?? null,
        lost: isStateGone,
        holder_is_off: isHolderOff,
        discards_state: wish.discardsStateOf !== undefined,
      },
      to,
    ),
  ]
  const notes = [
    `${to.name} founds FlareDB at its gate; arm and reboot it if its FlareDB step is over`,
    ...(isStateGone || out.some(({ state }) => state === 'member')
      ? ['machines whose FlareDB step is over run without it until they boot again']
      : []),
  ]
  return { reply: { kind: 'done', clusterId: cluster.id, notes }, reason: 'flaredb-moved', effects }
}

/** Held, and its running boot bound to no epoch that ever counts: it is stale at once. */
function fenced(machine: Machine, nowMs: number): Effect[] {
  const { currentBootId: bootId } = machine
  return [
    ...heldFor(machine, 'fenced', nowMs),
    ...(bootId === undefined ? [] : [{ kind: 'bind-attempt-epoch', bootId, epoch: 0 } as const]),
  ]
}

/** Unreachable is not gone (invariant 12): a member with its data that did not answer may lead where nobody looked. */
function mayLiveUnseen(picture: ClusterPicture): boolean {
  const facts = freshGroup(picture.cluster, 'flaredb', picture.nowMs)
  return rowsInGroup(picture.members, picture.cluster, 'flaredb').some(
    (row) => row.voter && row.state === 'member' && facts?.healthyMachineIds.includes(row.machineId) !== true,
  )
}

function moveFault(
  picture: ClusterPicture,
  row: ServiceFounding | undefined,
  { to, isHolderOff, discardsStateOf }: FlaredbMoveWish,
): Refusal | undefined {
  const { cluster } = picture
  if (cluster.founding.state !== 'founded') {
    return refusal(
      409,
      'not-founded',
      `${cluster.name} is ${cluster.founding.state}`,
      `pilotlight cluster show ${cluster.name}`,
    )
  }
  const discard = `pilotlight cluster founding move ${cluster.name} --service flaredb --to ${to.name} --discard-state ${cluster.name}`
  const leaderUrl = freshGroup(cluster, 'flaredb', picture.nowMs)?.leaderUrl
  const isLost = row?.state === 'done' && isFlaredbLost(picture)
  if (!isLost && leaderUrl !== undefined) {
    return refusal(
      409,
      'already-founded',
      `${leaderUrl} leads FlareDB of ${cluster.name}`,
      'bring its other members up; to give it up, switch its members off first',
    )
  }
  const mistyped = discardFault(cluster, discardsStateOf)
  if (mistyped !== undefined) return mistyped
  if (row?.state === 'done' && !isLost && discardsStateOf === undefined) {
    return refusal(
      409,
      'already-founded',
      `FlareDB of ${cluster.name} is founded, and nobody is known to have lost its data`,
      `bring its members up; where they can never agree again, give its state up: ${discard}`,
    )
  }
  if (row?.state === 'granted' && row.machineId === to.id && !isFromBeforeRestore(cluster, row.slotNo)) {
    return refusal(
      409,
      'already-there',
      `${to.name} founds FlareDB already`,
      `let it go on, or arm ${to.name} and boot it again: it founds anew`,
    )
  }
  if (to.state === 'held') {
    return refusal(409, 'machine-held', `${to.name} is held`, `pilotlight machine release ${to.name}`)
  }
  const isMember = picture.members.some(
    (member) =>
      member.service === 'chainfire' &&
      member.machineId === to.id &&
      member.state === 'member' &&
      member.voter &&
      member.epoch === cluster.founding.epoch,
  )
  if (!isMember) {
    return refusal(
      409,
      'not-chainfire-member',
      `${to.name} is no voter of Chainfire`,
      'name a machine that has joined Chainfire (pilotlight cluster show)',
    )
  }
  const holder = machineOf(picture, row?.machineId)
  const isGivenUp = isHolderOff || discardsStateOf !== undefined
  if (!isGivenUp && mayLiveUnseen(picture)) {
    return refusal(
      409,
      'state-may-exist',
      'members of FlareDB that nobody saw without their data may run: not all of them answer just now',
      `see that the server reaches them; or switch them off, and say --holder-is-off; or give their state up: ${discard}`,
    )
  }
  if (holder === undefined || holder.id === to.id || isGivenUp || isLost) return undefined
  const slot = slotOf(picture, 'flaredb-cluster-join')
  // A grant from before a restore is good for the boot that was told so only: a later one waits at its gate for this call.
  if (isFromBeforeRestore(cluster, row?.slotNo) && slot.bootId !== holder.currentBootId) return undefined
  const boot = attemptOf(picture, holder.currentBootId)
  return activeFault(picture, Math.max(slotHeardAtMs(picture, slot), boot?.heardAtMs ?? 0), holder)
}
