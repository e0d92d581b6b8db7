/** Numbers that look random and are the same for the same seed, on every machine (xorshift32). */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    // Zero would stay zero; neighbouring seeds are spread apart.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state >>> 0
    return this.#state % limit
  }

  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.below(values.length)]
    if (value === undefined) throw new RangeError('nothing to pick from')
    return value
  }
}
