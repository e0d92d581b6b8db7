import type { Machine } from '../../model/machine.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import type { AddressKeeping } from '../machine/arm-fault.ts'
import { armed } from '../machine/decide-arm.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import { type ClusterReply, targetFault } from './decide-move.ts'
import { discardFault } from './discard-state.ts'
import { mayHaveForgotten, newStart, reopenedFor } from './founding.ts'
import { leaderSeenWithin } from './leaders.ts'
import { rowsInGroup } from './membership.ts'
import { type ClusterPicture, machineOf } from './picture.ts'

const LEADER_WITHIN_MS = 30_000

export interface RefoundWish {
  readonly machine: Machine
  readonly addresses: AddressKeeping
  readonly armSeconds: number
  /** The cluster's name, typed by the operator who gives up what state there may be. */
  readonly discardsStateOf?: string
}

/**
 * F12: all state is lost, and one machine founds the cluster anew under a new epoch. Refused while anybody leads; a
 * survivor, or disks that may hold state, are given up only by name.
 */
export function decideRefound(picture: ClusterPicture, wish: RefoundWish): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const wrong = fault(picture, wish)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const next = reopenedFor(cluster.founding, wish.machine.id)
  const stale = picture.machines.filter(
    (machine) => machine.state === 'ready' && machine.id !== wish.machine.id,
  )
  const staleNames = stale.map((machine) => machine.name).join(' ')
  const effects: Effect[] = [
    { kind: 'put-founding', clusterId: cluster.id, founding: next },
    ...newStart(picture.slots, picture.serviceFoundings, []),
    ...picture.members
      .filter((row) => row.state !== 'removed' && row.state !== 'lost')
      .map((row): Effect => ({ kind: 'put-member', member: { ...row, state: 'lost' } })),
    // What was seen of the old cluster says nothing about the new one.
    { kind: 'put-probe', clusterId: cluster.id, probe: {} },
    ...armed(wish.machine, nowMs + wish.armSeconds * 1000, nowMs, {
      for_seconds: wish.armSeconds,
      founds: true,
    }),
    clusterEvent(
      cluster,
      nowMs,
      'cluster.refounded',
      { epoch: next.epoch, stale: staleNames, discards_state: wish.discardsStateOf !== undefined },
      wish.machine,
    ),
  ]
  const notes = [
    `${wish.machine.name} is armed and founds ${cluster.name} anew at its next boot`,
    ...(stale.length === 0 ? [] : [`still of the old cluster, to be armed and rebooted: ${staleNames}`]),
  ]
  return { reply: { kind: 'done', clusterId: cluster.id, notes }, reason: 'F12', effects }
}

function fault(picture: ClusterPicture, wish: RefoundWish): Refusal | undefined {
  const { cluster, nowMs } = picture
  const { state } = cluster.founding
  if (state !== 'founded' && state !== 'lost') {
    return refusal(
      409,
      state === 'frozen' ? 'cluster-frozen' : 'not-founded',
      `${cluster.name} is ${state}`,
      state === 'frozen'
        ? `pilotlight cluster unfreeze ${cluster.name} --as open|founded`
        : `arm its first machine: pilotlight machine arm ${wish.machine.name}`,
    )
  }
  const target = targetFault(picture, wish.machine, wish.addresses)
  if (target !== undefined) return target
  if (leaderSeenWithin(cluster, LEADER_WITHIN_MS, nowMs)) {
    return refusal(
      409,
      'leader-seen',
      `${cluster.probe.leaderUrl ?? 'a member'} leads ${cluster.name}: its state lives`,
      'reprovision the members that are broken instead; to give the cluster up, switch its members off first',
    )
  }
  if (wish.discardsStateOf === cluster.name) return undefined
  const mistyped = discardFault(cluster, wish.discardsStateOf)
  if (mistyped !== undefined) return mistyped
  const survivor = survivorOf(picture)
  const discard = `pilotlight cluster refound ${cluster.name} --machine ${wish.machine.name} --discard-state ${cluster.name}`
  if (survivor !== undefined) {
    return refusal(
      409,
      'survivor',
      `${survivor} lives with the cluster's state, without a quorum`,
      `power the other members on; or give the state up: ${discard}`,
    )
  }
  // A row in state member is not known to be lost: its disk has the state, or its RAM as long as it was not booted.
  // A restored server may have forgotten members, whatever rows have come since.
  const rows = rowsInGroup(picture.members, cluster, 'chainfire')
  const isEmpty = rows.length === 0 && cluster.founding.incarnationFloor > 0
  const hasForgotten = isEmpty || mayHaveForgotten(cluster.founding)
  const mayHaveState = hasForgotten || rows.some((row) => row.state === 'member')
  if (!mayHaveState) return undefined
  return refusal(
    409,
    'state-may-exist',
    `members of ${cluster.name} that nobody saw without their data may hold its state`,
    `power them on; or give the state up: ${discard}`,
  )
}

/** A member seen alive in the last round: it has state, if nobody to agree with. */
function survivorOf(picture: ClusterPicture): string | undefined {
  const facts = picture.cluster.probe.groups?.chainfire
  if (facts === undefined || picture.nowMs - facts.atMs > LEADER_WITHIN_MS) return undefined
  const row = rowsInGroup(picture.members, picture.cluster, 'chainfire').find(
    (member) => member.state === 'member' && facts.healthyMachineIds.includes(member.machineId),
  )
  return machineOf(picture, row?.machineId)?.name
}
