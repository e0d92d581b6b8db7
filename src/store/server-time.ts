/** Where the server's clock reads from; tests give their own. */
export interface ClockSources {
  /** The wall clock, ms since 1970. */
  wallMs(): number
  /** A clock that only runs forward, in ms from anywhere. */
  monotonicMs(): number
}

export const SYSTEM_CLOCKS: ClockSources = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

const STEP_MS = 5_000

/**
 * Server time: begins at the wall clock, or at the last time on record if that is later, and runs with the monotonic
 * clock from there. It never runs backwards; a step of the wall clock is told of and not followed, so that no lease or
 * token ends by it.
 */
export class ServerTime {
  readonly #clocks: ClockSources
  readonly #onStep: (stepMs: number) => void
  readonly startMs: number
  readonly #startMonotonicMs: number
  /** How far the wall clock was ahead of server time when it was last told of. */
  #wallOffsetMs = 0

  constructor(lastKnownMs: number, onStep: (stepMs: number) => void, clocks: ClockSources = SYSTEM_CLOCKS) {
    this.#clocks = clocks
    this.#onStep = onStep
    this.#startMonotonicMs = clocks.monotonicMs()
    this.startMs = Math.max(Math.floor(clocks.wallMs()), lastKnownMs)
  }

  nowMs(): number {
    const nowMs = this.startMs + Math.floor(this.#clocks.monotonicMs() - this.#startMonotonicMs)
    this.#compareWithWall(nowMs)
    return nowMs
  }

  #compareWithWall(nowMs: number): void {
    const offsetMs = this.#clocks.wallMs() - nowMs
    const stepMs = offsetMs - this.#wallOffsetMs
    if (Math.abs(stepMs) <= STEP_MS) return
    this.#wallOffsetMs = offsetMs
    this.#onStep(Math.round(stepMs))
  }
}
