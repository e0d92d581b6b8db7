const MOST = 256
const LONGEST_MS = 3000

/** Replies that are to leave later. Bounded in number and in time, so that nobody can make the server hold them without end. */
export class DelayedReplies {
  readonly #timers = new Set<NodeJS.Timeout>()

  /**
   * Sends after so many milliseconds, 3,000 at most.
   *
   * @returns false when as many wait as may: then it is not held, and the caller sends it now.
   */
  hold(delayMs: number, send: () => void): boolean {
    if (this.#timers.size >= MOST) return false
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        send()
      },
      Math.min(delayMs, LONGEST_MS),
    )
    this.#timers.add(timer)
    return true
  }

  /** None of those that wait is sent any more. */
  forget(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
