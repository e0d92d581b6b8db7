import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type AddressKeeping, armFault } from '../machine/arm-fault.ts'
import { armed } from '../machine/decide-arm.ts'
import { heldFor } from '../machine/decide-hold.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import { newStart, reopenedFor } from './founding.ts'
import { attemptOf, type ClusterPicture, machineOf } from './picture.ts'

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

/** A machine that was heard a moment ago is at work, whatever an operator thinks. */
export function activeFault(
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
