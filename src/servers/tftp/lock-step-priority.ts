import { readFileSync } from 'node:fs'
import os from 'node:os'

/** Measured, see docs/performance.md. */
const NICER_BY = 3
const CAP_SYS_NICE = 1n << 23n

/**
 * The priority of a thread that moves blocks. While all of its clients wait for each block, it gives way to whoever
 * is awake on this machine, the clients themselves among them: what it sends sooner they could not take. A transfer in
 * windows does not wait, and has the thread at the main one's priority.
 */
export class LockStepPriority {
  readonly #normal = os.getPriority()
  readonly #mayChange = mayTakePriorityBack()
  #windowed = 0

  constructor() {
    this.#set(true)
  }

  /** @param window blocks that are sent before the client confirms them. */
  begun(window: number): void {
    if (window > 1 && this.#windowed++ === 0) this.#set(false)
  }

  ended(window: number): void {
    if (window > 1 && --this.#windowed === 0) this.#set(true)
  }

  #set(isNicer: boolean): void {
    if (!this.#mayChange) return
    // Process 0 is the calling thread; on Linux a priority is a thread's own.
    os.setPriority(0, isNicer ? Math.min(this.#normal + NICER_BY, 19) : this.#normal)
  }
}

/** Whoever gave way needs this capability to come back (capabilities(7)); without it the priority stays as it is. */
function mayTakePriorityBack(): boolean {
  if (process.platform !== 'linux') return false
  try {
    const status = readFileSync('/proc/thread-self/status', 'latin1')
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
    return (BigInt(`0x${effective}`) & CAP_SYS_NICE) !== 0n
  } catch {
    // /proc is hidden.
    return false
  }
}
