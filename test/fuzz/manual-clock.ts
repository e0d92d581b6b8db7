import type { TransferClock } from '../../src/servers/tftp/transfer-clock.ts'

interface Timer {
  readonly dueMs: number
  readonly then: () => void
}

/** A clock that stands still until it is moved; what falls due then is called in its order. */
export class ManualClock implements TransferClock {
  #nowMs = 1_000
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, then: () => void): () => void {
    const timer = { dueMs: this.#nowMs + ms, then }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** So many timers run. */
  get pending(): number {
    return this.#timers.size
  }

  pass(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      let next: Timer | undefined
      for (const timer of this.#timers) {
        if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
      }
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.then()
    }
    this.#nowMs = untilMs
  }
}
