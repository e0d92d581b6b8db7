import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { DiskThread } from './disk-thread.ts'

/** Of a second, what syncs may keep the main thread from its packets before they get a thread of their own. */
const MOST_BLOCKED_MS = 50
const WINDOW_MS = 1000

type Done = (error?: Error) => void

/**
 * Puts what was committed to the write-ahead log on the disk. On the main thread while a sync is short, as on a good
 * SSD: a thread of its own would cost more than the wait. Where syncs take too much of the main thread's time, a thread
 * that does nothing else takes them from then on, and packets are read meanwhile.
 */
export class LogSync {
  readonly #logFile: string
  readonly #clock: { nowMs(): number }
  #fd: number | undefined
  #thread: DiskThread<undefined> | undefined
  #windowStartMs = 0
  #blockedMs = 0

  /** @param logFile the write-ahead log; it need not be there before the first sync. */
  constructor(logFile: string, clock = { nowMs: () => performance.now() }) {
    this.#logFile = logFile
    this.#clock = clock
  }

  get hasThread(): boolean {
    return this.#thread !== undefined
  }

  /** Resolves when the thread takes syncs; undefined: there is none. */
  get threadReady(): Promise<void> | undefined {
    return this.#thread?.ready
  }

  /** Calls back when all that was written before is on the disk, or with why nobody knows whether it is. */
  sync(done: Done): void {
    if (this.#thread?.isReady === true) this.#thread.run(done)
    else this.#syncHere(done)
  }

  /** As `sync`, before it returns. */
  syncNow(): void {
    fdatasyncSync(this.#open())
  }

  close(): void {
    void this.#thread?.end()
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #open(): number {
    this.#fd ??= openSync(this.#logFile, 'r')
    return this.#fd
  }

  #syncHere(done: Done): void {
    const beforeMs = this.#clock.nowMs()
    try {
      this.syncNow()
    } catch (error) {
      return done(error as Error)
    }
    this.#note(beforeMs, this.#clock.nowMs())
    done()
  }

  #note(beforeMs: number, afterMs: number): void {
    if (afterMs - this.#windowStartMs > WINDOW_MS) {
      this.#windowStartMs = afterMs
      this.#blockedMs = 0
    }
    this.#blockedMs += afterMs - beforeMs
    if (this.#blockedMs > MOST_BLOCKED_MS) this.#thread ??= syncThread(this.#open())
  }
}

/** @param fd a descriptor of this process that stays open until the thread has ended. */
export function syncThread(fd: number): DiskThread<undefined> {
  return new DiskThread('./sync-worker.js', fd)
}
