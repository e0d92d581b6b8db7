import type { Decision } from '../policy/decision.ts'
import { type Effect, isDurable } from '../policy/effect.ts'

/** One `decide` on its way: read and decided inside a transaction, answered once. */
export interface Unit {
  run(): void
  answer(): void
  fail(error: unknown): void
  /** `failed` and `answered` are final for the asker; an answered unit may still have to be written. */
  state: 'waiting' | 'answered' | 'failed'
  /** Filled by `run`, as are the two below. */
  effects: readonly Effect[]
  isDurable: boolean
  /** The answer may leave before anything is on the disk. */
  isTentative: boolean
}

/**
 * @param decide reads and decides.
 * @param resolve the asker's.
 */
export function makeUnit<Reply>(
  decide: () => Decision<Reply>,
  carryOut: (effect: Effect) => void,
  resolve: (decision: Decision<Reply>) => void,
  reject: (error: unknown) => void,
): Unit {
  let decision: Decision<Reply>
  const unit: Unit = {
    state: 'waiting',
    effects: [],
    isDurable: false,
    isTentative: false,
    run: () => {
      decision = decide()
      for (const effect of decision.effects) carryOut(effect)
      unit.effects = decision.effects
      unit.isDurable = decision.effects.some(isDurable)
      unit.isTentative = decision.isTentative === true && !unit.isDurable
    },
    answer: () => {
      if (unit.state === 'waiting') unit.state = 'answered'
      resolve(decision)
    },
    fail: (error) => {
      if (unit.state === 'waiting') unit.state = 'failed'
      reject(error)
    },
  }
  return unit
}
