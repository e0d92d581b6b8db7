import type { Member, ServiceFounding } from '../../model/cluster.ts'
import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type AddressKeeping, armFault } from '../machine/arm-fault.ts'
import { armed } from '../machine/decide-arm.ts'
import { heldFor } from '../machine/decide-hold.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import { isFlaredbLost } from './decide-tick.ts'
import { freed, newStart, reopenedFor } from './founding.ts'
import { freshGroup } from './leaders.ts'
import { rowsInGroup, takenOut } from './membership.ts'
import { attemptOf, type ClusterPicture, machineOf, slotHeardAtMs, slotOf } from './picture.ts'

/** A founder or a slot's holder that was heard within this time is alive, whatever an operator thinks. */
export const ACTIVE_WITHIN_MS = 60_000

export type ClusterReply =
  | { readonly kind: 'done'; readonly clusterId: string; readonly notes: readonly string[] }
  | Refusal

/** What a move needs beside the picture. */
export interface MoveWish {
  readonly to: Machine
  readonly addresses: AddressKeeping
  readonly armSeconds: number
  /** The operator says that the old one is switched off, though it was heard a moment ago. */
  readonly isHolderOff: boolean
}

/**
 * F8: another machine shall found the cluster. The old founder is fenced: its epoch is over at once, and it is held until
 * somebody releases it.
 */
export function decideFoundingMove(picture: ClusterPicture, wish: MoveWish): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const { founding } = cluster
  const wrong = moveFault(picture, wish)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const holder = machineOf(picture, founding.holderMachineId)
  const next = reopenedFor(founding, wish.to.id)
  const effects: Effect[] = [
    { kind: 'put-founding', clusterId: cluster.id, founding: next },
    ...newStart(picture.slots, picture.serviceFoundings, picture.members),
    ...(holder === undefined || holder.id === wish.to.id ? [] : heldFor(holder, 'fenced', nowMs)),
    ...armed(wish.to, nowMs + wish.armSeconds * 1000, nowMs, { for_seconds: wish.armSeconds, founds: true }),
    clusterEvent(
      cluster,
      nowMs,
      'cluster.founding-moved',
      { epoch: next.epoch, from: holder?.name ?? null, holder_is_off: wish.isHolderOff },
      wish.to,
    ),
  ]
  const notes = [
    `${wish.to.name} is armed and founds ${cluster.name} at its next boot`,
    ...(holder === undefined || holder.id === wish.to.id
      ? []
      : [`${holder.name} is fenced; when it may come back: pilotlight machine release ${holder.name}`]),
  ]
  return { reply: { kind: 'done', clusterId: cluster.id, notes }, reason: 'F8', effects }
}

function moveFault(picture: ClusterPicture, { to, addresses, isHolderOff }: MoveWish): Refusal | undefined {
  const { cluster } = picture
  const { founding } = cluster
  if (founding.state !== 'open' && founding.state !== 'granted' && founding.state !== 'doubtful') {
    return refusal(
      409,
      founding.state === 'frozen' ? 'cluster-frozen' : 'already-founded',
      `${cluster.name} is ${founding.state}`,
      founding.state === 'frozen'
        ? `pilotlight cluster unfreeze ${cluster.name} --as open|founded`
        : `only when all its state is lost: pilotlight cluster refound ${cluster.name} --machine ${to.name}`,
    )
  }
  const target = targetFault(picture, to, addresses)
  if (target !== undefined) return target
  const holder = machineOf(picture, founding.holderMachineId)
  if (holder === undefined || holder.id === to.id || isHolderOff || founding.state === 'open')
    return undefined
  return activeFault(picture, attemptOf(picture, founding.holderBootId)?.heardAtMs, holder)
}

/** May this machine found: a control-plane machine of the cluster that lacks nothing and is not held. */
export function targetFault(
  picture: ClusterPicture,
  to: Machine,
  addresses: AddressKeeping,
): Refusal | undefined {
  const { cluster } = picture
  if (to.clusterId !== cluster.id || !isControlPlane(to.role)) {
    return refusal(
      409,
      'not-control-plane',
      `${to.name} is no control-plane machine of ${cluster.name}`,
      'name one that is (pilotlight cluster show)',
    )
  }
  return armFault(to, cluster, addresses)
}

function activeFault(
  picture: ClusterPicture,
  heardAtMs: number | undefined,
  holder: Machine,
): Refusal | undefined {
  const silentMs = picture.nowMs - (heardAtMs ?? 0)
  if (silentMs >= ACTIVE_WITHIN_MS) return undefined
  return refusal(
    409,
    'holder-active',
    `${holder.name} was heard ${Math.round(silentMs / 1000)} s ago`,
    `switch ${holder.name} off, wait a minute, or say --holder-is-off`,
  )
}

/**
 * FlareDB is founded by another machine: where its first one died in mid-founding, or where FlareDB alone has lost its
 * state while Chainfire lives (docs/decisions/0006-founding-gaps.md). The machine that had it is fenced.
 */
export function decideFlaredbMove(
  picture: ClusterPicture,
  { to, isHolderOff }: Pick<MoveWish, 'to' | 'isHolderOff'>,
): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const row = picture.serviceFoundings.find((candidate) => candidate.service === 'flaredb')
  const isLost = row?.state === 'done' && isFlaredbLost(picture)
  const wrong = flaredbMoveFault(picture, row, to, isHolderOff, isLost)
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
    ...(isLost && iam !== undefined
      ? [{ kind: 'put-service-founding', row: { ...iam, state: 'none' } } as const]
      : []),
    { kind: 'put-slot', slot: freed(slot) },
    // Out of the group that is given up, not lost in the one that begins.
    ...out.map((member: Member): Effect => ({ kind: 'put-member', member: takenOut(member) })),
    ...(before === undefined || isLost ? [] : fenced(before, nowMs)),
    clusterEvent(
      cluster,
      nowMs,
      'cluster.flaredb-moved',
      { from: before?.name ?? null, lost: isLost, holder_is_off: isHolderOff },
      to,
    ),
  ]
  const notes = [
    `${to.name} founds FlareDB at its gate; arm and reboot it if its FlareDB step is over`,
    ...(isLost || out.some(({ state }) => state === 'member')
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

function flaredbMoveFault(
  picture: ClusterPicture,
  row: ServiceFounding | undefined,
  to: Machine,
  isHolderOff: boolean,
  isLost: boolean,
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
  if (row?.state === 'done' && !isLost) {
    return refusal(409, 'already-founded', `FlareDB of ${cluster.name} is founded`, 'nothing is to be moved')
  }
  const leaderUrl = freshGroup(cluster, 'flaredb', picture.nowMs)?.leaderUrl
  if (!isLost && leaderUrl !== undefined) {
    return refusal(
      409,
      'already-founded',
      `${leaderUrl} leads FlareDB of ${cluster.name}`,
      'bring its other members up; to give it up, switch its members off first',
    )
  }
  if (row?.state === 'granted' && row.machineId === to.id) {
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
  if (!isHolderOff && mayLiveUnseen(picture)) {
    return refusal(
      409,
      'state-may-exist',
      'members of FlareDB that nobody saw without their data may run: not all of them answer just now',
      'see that the server reaches them; or switch them off, and say --holder-is-off',
    )
  }
  if (holder === undefined || holder.id === to.id || isHolderOff || isLost) return undefined
  const slot = slotOf(picture, 'flaredb-cluster-join')
  const boot = attemptOf(picture, holder.currentBootId)
  return activeFault(picture, Math.max(slotHeardAtMs(picture, slot), boot?.heardAtMs ?? 0), holder)
}
