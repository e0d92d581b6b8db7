import type { Machine } from '../../model/machine.ts'
import type { ClusterPicture } from '../cluster/picture.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { machineEvent } from './machine-event.ts'
import { foundingFault, membershipFault } from './membership-fault.ts'
import { removeFromGroups } from './removal-fault.ts'

export interface LeavingSnapshot extends Moment {
  readonly machine: Machine
  readonly picture?: ClusterPicture
}

export type LeavingReply =
  | { readonly kind: 'done'; readonly machineId: string; readonly removing: readonly string[] }
  | Refusal

/** A machine leaves for good: held, its tokens void, its members on their way out. It can be deleted when they are. */
export function decideDecommission(snapshot: LeavingSnapshot, isForced: boolean): Decision<LeavingReply> {
  const { machine, picture, nowMs } = snapshot
  const held = foundingFault(machine, picture)
  if (held !== undefined) return { reply: held, reason: held.code, effects: [] }
  const isMember = picture?.cluster.founding.state === 'founded'
  const removal = isMember
    ? removeFromGroups(picture, machine, isForced)
    : ({ kind: 'begun', effects: [], memberIds: [] } as const)
  if (removal.kind === 'refused') return { reply: removal, reason: removal.code, effects: [] }
  const effects: Effect[] = [
    ...removal.effects,
    { kind: 'revoke-boot-tokens', machineId: machine.id, atMs: nowMs },
    { kind: 'arm-machine', machineId: machine.id, untilMs: undefined },
    { kind: 'set-machine-state', machineId: machine.id, state: 'held' },
    { kind: 'hold-machine', machineId: machine.id, reason: 'decommissioned' },
    machineEvent(machine, nowMs, 'machine.decommissioned', {
      removing: removal.memberIds.join(' '),
      forced: isForced,
    }),
  ]
  return {
    reply: { kind: 'done', machineId: machine.id, removing: removal.memberIds },
    reason: 'decommissioned',
    effects,
  }
}

/** Forgets a machine; not while it is in use, founds, or may still be a member anywhere. */
export function decideDeletion(snapshot: LeavingSnapshot): Decision<LeavingReply> {
  const { machine, picture, nowMs } = snapshot
  const wrong = deletionFault(machine, picture)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  return {
    reply: { kind: 'done', machineId: machine.id, removing: [] },
    reason: 'deleted',
    effects: [
      { kind: 'delete-machine', machineId: machine.id },
      machineEvent(machine, nowMs, 'machine.deleted', {}),
    ],
  }
}

const BUSY: ReadonlySet<Machine['state']> = new Set(['booting', 'first-boot', 'installed', 'ready'])

function deletionFault(machine: Machine, picture: ClusterPicture | undefined): Refusal | undefined {
  const founding = foundingFault(machine, picture)
  if (founding !== undefined) return founding
  const { name, state } = machine
  if (BUSY.has(state)) {
    return refusal(
      409,
      'machine-in-use',
      `${name} is ${state}`,
      `pilotlight machine decommission ${name} first`,
    )
  }
  return membershipFault(machine, picture)
}
