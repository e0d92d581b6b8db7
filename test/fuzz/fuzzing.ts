/** What a run of a fuzzer came to. */
export interface FuzzResult {
  /** Packets or requests that were tried. */
  readonly tried: number
  readonly replies: number
  readonly seconds: number
  /** How often each way was taken: `dropped too-short`, `silent no-subnet`, `offer offered-again`. */
  readonly ways: ReadonlyMap<string, number>
}

export interface FuzzOptions {
  readonly seed: number
  /** Packets or requests to try; the time may end the run before. */
  readonly count: number
  readonly seconds?: number
  readonly say?: (line: string) => void
}

/** Something broke a rule: what, and what repeats it. */
export class FuzzFailure extends Error {
  constructor(why: string, what: string, cause?: unknown) {
    super(`${why}\n${what}`, { cause })
  }
}

/** A rule of a fuzzer; whoever calls adds what repeats it. */
export function demand(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Error(why)
}

/** Counts what was tried, tells now and then, and says when the time is up. */
export class FuzzTally {
  readonly #options: FuzzOptions
  readonly #lookEvery: number
  readonly #startedAt = performance.now()
  readonly #ways = new Map<string, number>()
  #replies = 0
  #tried = 0

  constructor(options: FuzzOptions, lookEvery: number) {
    this.#options = options
    this.#lookEvery = lookEvery
  }

  /** False once all were tried, or the time is up. */
  goesOn(what: string): boolean {
    const { count, seconds = Number.POSITIVE_INFINITY, say } = this.#options
    if (this.#tried >= count) return false
    if (this.#tried === 0 || this.#tried % this.#lookEvery !== 0) return true
    say?.(`${this.#tried} ${what}, ${this.#replies} replies, ${this.#elapsed().toFixed(0)} s`)
    return this.#elapsed() < seconds
  }

  /** The number of the one that is being tried. */
  get index(): number {
    return this.#tried
  }

  add(way: string, isAnswered: boolean): void {
    this.#tried += 1
    if (isAnswered) this.#replies += 1
    this.note(way)
  }

  /** Something worth counting that nobody sent. */
  note(way: string, times = 1): void {
    this.#ways.set(way, (this.#ways.get(way) ?? 0) + times)
  }

  get result(): FuzzResult {
    return { tried: this.#tried, replies: this.#replies, seconds: this.#elapsed(), ways: this.#ways }
  }

  #elapsed(): number {
    return (performance.now() - this.#startedAt) / 1000
  }
}
