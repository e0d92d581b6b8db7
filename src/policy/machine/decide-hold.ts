import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { FirstBootStep } from '../../model/first-boot.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { stateUnderWay } from './state-under-way.ts'

export interface HoldSnapshot extends Moment {
  readonly machine: Machine
  /** Its current boot, for where a release lets it go on. */
  readonly currentBoot?: BootAttempt
}

export type HoldReply = { readonly kind: 'done'; readonly machineId: string } | Refusal

/**
 * F13. Stops a machine before its next step: boot tokens that nobody redeemed are void, gates answer `held`, a step that
 * was let through goes on. With a step: it goes as far as that one, and its tokens stay good.
 */
export function decideHold({ machine, nowMs }: HoldSnapshot, step?: FirstBootStep): Decision<HoldReply> {
  const reply = { kind: 'done', machineId: machine.id } as const
  if (step !== undefined) {
    return {
      reply,
      reason: 'held-at-step',
      effects: [
        { kind: 'hold-machine', machineId: machine.id, step },
        eventOf(machine, nowMs, 'machine.held', { step }),
      ],
    }
  }
  return {
    reply,
    reason: 'held',
    effects: [...heldFor(machine, 'operator', nowMs), eventOf(machine, nowMs, 'machine.held', {})],
  }
}

/** The effects of a hold at once, whoever it is by. */
export function heldFor(
  machine: Machine,
  reason: NonNullable<Machine['holdReason']>,
  nowMs: number,
): Effect[] {
  return [
    { kind: 'revoke-boot-tokens', machineId: machine.id, atMs: nowMs },
    { kind: 'arm-machine', machineId: machine.id, untilMs: undefined },
    { kind: 'set-machine-state', machineId: machine.id, state: 'held' },
    { kind: 'hold-machine', machineId: machine.id, reason },
  ]
}

/** Takes a hold away: what was under way goes on, what was ready is, any other machine needs an arm. */
export function decideRelease({ machine, nowMs, currentBoot }: HoldSnapshot): Decision<HoldReply> {
  if (machine.state !== 'held' && machine.holdStep === undefined) {
    const wrong = refusal(
      409,
      'not-held',
      `${machine.name} is ${machine.state}, not held`,
      'nothing to release',
    )
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  const effects: Effect[] = [{ kind: 'hold-machine', machineId: machine.id }]
  if (machine.state === 'held') {
    effects.push({ kind: 'set-machine-state', machineId: machine.id, state: stateAfter(currentBoot) })
  }
  effects.push(eventOf(machine, nowMs, 'machine.released', {}))
  return { reply: { kind: 'done', machineId: machine.id }, reason: 'released', effects }
}

function stateAfter(boot: BootAttempt | undefined): Machine['state'] {
  if (boot?.end === 'ready') return 'ready'
  if (boot === undefined || boot.endedAtMs !== undefined) return 'enrolled'
  return stateUnderWay(boot)
}

function eventOf(
  machine: Machine,
  atMs: number,
  type: string,
  data: Readonly<Record<string, string | number | boolean | null>>,
): Effect {
  return {
    kind: 'append-event',
    event: { atMs, type, machineId: machine.id, data: { name: machine.name, ...data } },
  }
}
