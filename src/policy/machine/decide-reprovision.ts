import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { freeSpaceFault } from '../free-space.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { armFault } from './arm-fault.ts'
import { checkImage, imageRefusal } from './check-image.ts'
import { type ArmSnapshot, armed } from './decide-arm.ts'
import { removeFromGroups } from './removal-fault.ts'

export type ReprovisionReply =
  | {
      readonly kind: 'done'
      readonly machineId: string
      readonly untilMs: number
      /** Members that are being removed; the machine joins anew when its list says so. */
      readonly removing: readonly string[]
    }
  | Refusal

/**
 * Wipes a member: it is removed from its groups first, and armed, so that its next boot joins with fresh data. Refused
 * where too few healthy voters would stay.
 */
export function decideReprovision(
  snapshot: ArmSnapshot,
  forSeconds: number,
  isForced: boolean,
): Decision<ReprovisionReply> {
  const { machine, picture, nowMs } = snapshot
  const wrong =
    armFault(machine, picture?.cluster, snapshot.addresses) ??
    imageRefusal(checkImage(snapshot)) ??
    freeSpaceFault(snapshot.freeBytes)
  if (wrong !== undefined || picture === undefined) {
    const reply = wrong ?? refusal(409, 'no-cluster', `${machine.name} belongs to no cluster`, 'name one')
    return { reply, reason: reply.code, effects: [] }
  }
  const untilMs = nowMs + forSeconds * 1000
  const isMember = picture.cluster.founding.state === 'founded'
  const removal = isMember
    ? removeFromGroups(picture, machine, isForced)
    : ({ kind: 'begun', effects: [], memberIds: [] } as const)
  if (removal.kind === 'refused') return { reply: removal, reason: removal.code, effects: [] }
  const effects: Effect[] = [
    ...removal.effects,
    ...armed(machine, untilMs, nowMs, {
      for_seconds: forSeconds,
      reprovision: true,
      removing: removal.memberIds.join(' '),
      forced: isForced,
    }),
  ]
  const reply = { kind: 'done', machineId: machine.id, untilMs, removing: removal.memberIds } as const
  return { reply, reason: 'reprovision', effects }
}
