import type { Machine } from '../../model/machine.ts'
import type { Effect } from '../effect.ts'
import { machineEvent } from '../machine/machine-event.ts'
import { REARM_MS } from './may-rearm.ts'

/** A machine boots again without a person: armed as if somebody had done it, and an event says by what. */
export function rearmEffects(machine: Machine, nowMs: number): Effect[] {
  return [
    { kind: 'arm-machine', machineId: machine.id, untilMs: nowMs + REARM_MS },
    machineEvent(machine, nowMs, 'machine.rearmed', { by: 'same-identity' }),
  ]
}

/** Not the machine that was accepted, or one that never gets there: held, and an event says why. */
export function heldByUs(
  machine: Machine,
  reason: 'identity' | 'boot-loop',
  detail: string,
  nowMs: number,
): Effect[] {
  return [
    { kind: 'set-machine-state', machineId: machine.id, state: 'held' },
    { kind: 'hold-machine', machineId: machine.id, reason },
    machineEvent(machine, nowMs, 'machine.held', {
      why: reason,
      detail,
      cure: `look at it, then pilotlight machine arm ${machine.name}`,
    }),
  ]
}
