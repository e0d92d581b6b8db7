import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import { type Refusal, refusal } from '../refusal.ts'

export interface HoldSnapshot extends Moment {
  readonly machine: Machine
}

export type HoldReply = { readonly kind: 'done'; readonly machineId: string } | Refusal

/** Stops a machine before its next step: boot tokens that nobody redeemed are void, gates answer `held`. */
export function decideHold({ machine, nowMs }: HoldSnapshot): Decision<HoldReply> {
  return {
    reply: { kind: 'done', machineId: machine.id },
    reason: 'held',
    effects: [
      { kind: 'revoke-boot-tokens', machineId: machine.id, atMs: nowMs },
      { kind: 'arm-machine', machineId: machine.id, untilMs: undefined },
      { kind: 'set-machine-state', machineId: machine.id, state: 'held' },
      eventOf(machine, nowMs, 'machine.held'),
    ],
  }
}

/** Takes a hold away: a machine whose boot is under way goes on with it, any other is enrolled and needs an arm. */
export function decideRelease(
  { machine, nowMs }: HoldSnapshot,
  currentBootIsOpen: boolean,
): Decision<HoldReply> {
  if (machine.state !== 'held') {
    const wrong = refusal(
      409,
      'not-held',
      `${machine.name} is ${machine.state}, not held`,
      'nothing to release',
    )
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  const state = currentBootIsOpen ? 'first-boot' : 'enrolled'
  return {
    reply: { kind: 'done', machineId: machine.id },
    reason: 'released',
    effects: [
      { kind: 'set-machine-state', machineId: machine.id, state },
      eventOf(machine, nowMs, 'machine.released'),
    ],
  }
}

/** Removes a machine for good; one that is in the middle of a boot is held first, so that nothing is pulled away. */
export function decideDeletion({ machine, nowMs }: HoldSnapshot): Decision<HoldReply> {
  if (machine.state === 'booting' || machine.state === 'first-boot' || machine.state === 'ready') {
    const detail = `${machine.name} is ${machine.state}`
    const wrong = refusal(409, 'machine-in-use', detail, `pilotlight machine hold ${machine.name} first`)
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  return {
    reply: { kind: 'done', machineId: machine.id },
    reason: 'deleted',
    effects: [{ kind: 'delete-machine', machineId: machine.id }, eventOf(machine, nowMs, 'machine.deleted')],
  }
}

function eventOf(machine: Machine, atMs: number, type: string) {
  return {
    kind: 'append-event',
    event: { atMs, type, machineId: machine.id, data: { name: machine.name } },
  } as const
}
