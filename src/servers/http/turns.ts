/** What the event loop may spend on file bytes before everything else gets its turn: DHCP waits no longer than this. */
const TURN_MS = 4

/** Takes steps of many streams in a circle, one bounded step each, and lets the event loop breathe between rounds. */
export class Turns {
  #queue: (() => void)[] = []
  #isScheduled = false

  /** Runs a step when it is its turn. */
  next(step: () => void): void {
    this.#queue.push(step)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#run())
  }

  #run(): void {
    const endMs = performance.now() + TURN_MS
    const round = this.#queue
    this.#queue = []
    let taken = 0
    for (const step of round) {
      taken += 1
      step()
      if (performance.now() >= endMs) break
    }
    if (taken < round.length) this.#queue = [...round.slice(taken), ...this.#queue]
    this.#isScheduled = this.#queue.length > 0
    if (this.#isScheduled) setImmediate(() => this.#run())
  }
}
