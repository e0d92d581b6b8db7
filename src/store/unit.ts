import type { Decision } from '../policy/decision.ts'
import { type Effect, isDurable } from '../policy/effect.ts'

/** One `decide` on its way: read and decided inside a transaction, answered once. */
export interface Unit {
  run(): void
  answer(): void
  fail(error: unknown): void
  /** `failed` and `answered` are final for the asker; an answered unit may still have to be written. */
  readonly state: 'waiting' | 'answered' | 'failed'
  /** Filled by `run`, as are the two below. */
  readonly effects: readonly Effect[]
  readonly isDurable: boolean
  /** The answer may leave before anything is on the disk. */
  readonly isTentative: boolean
}

/** What becomes of a unit. */
export interface UnitParts<Reply> {
  /** Reads and decides. */
  readonly decide: () => Decision<Reply>
  readonly carryOut: (effect: Effect) => void
  /** The asker's. */
  readonly resolve: (decision: Decision<Reply>) => void
  readonly reject: (error: unknown) => void
}

/** A class, and not closures: there are tens of thousands a second. */
export class DecideUnit<Reply> implements Unit {
  readonly #parts: UnitParts<Reply>
  #decision: Decision<Reply> | undefined
  state: Unit['state'] = 'waiting'
  effects: readonly Effect[] = []
  isDurable = false
  isTentative = false

  constructor(parts: UnitParts<Reply>) {
    this.#parts = parts
  }

  run(): void {
    const { decide, carryOut } = this.#parts
    const decision = decide()
    let isDurableSo = false
    for (const effect of decision.effects) {
      carryOut(effect)
      if (!isDurableSo) isDurableSo = isDurable(effect)
    }
    this.#decision = decision
    this.effects = decision.effects
    this.isDurable = isDurableSo
    this.isTentative = decision.isTentative === true && !isDurableSo
  }

  answer(): void {
    if (this.#decision === undefined) throw new Error('a unit is answered that has not run')
    if (this.state === 'waiting') this.state = 'answered'
    this.#parts.resolve(this.#decision)
  }

  fail(error: unknown): void {
    if (this.state === 'waiting') this.state = 'failed'
    this.#parts.reject(error)
  }
}
