/** The time that transfers go by: the process's own, or one that somebody else moves. */
export interface TransferClock {
  /** Never runs backwards. */
  nowMs(): number
  /** Calls once after so many ms; what it gives back calls that off. */
  after(ms: number, then: () => void): () => void
}

export const PROCESS_CLOCK: TransferClock = {
  nowMs: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms)
    return () => clearTimeout(timer)
  },
}
