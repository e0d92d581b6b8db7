import { Worker } from 'node:worker_threads'
import type { Hashed, ToHash } from './hash-worker.ts'

/** An import hashes file after file; a thread that waits for the next image holds some 10 MiB meanwhile. */
const IDLE_MS = 5000
const ENDED = 'the hashing thread ended'

/** Hashes open files in a thread of its own, one after the other. An idle thread keeps no process alive, and ends soon. */
export class FileHasher {
  readonly #idleMs: number
  readonly #waiting = new Map<number, (hashed: Hashed) => void>()
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #nextId = 0
  #isClosed = false

  constructor(idleMs = IDLE_MS) {
    this.#idleMs = idleMs
  }

  /** Whether there is a thread at all. */
  get isRunning(): boolean {
    return this.#worker !== undefined
  }

  hash(fd: number): Promise<Hashed> {
    const id = this.#nextId++
    if (this.#isClosed) return Promise.resolve({ id, error: ENDED })
    clearTimeout(this.#idle)
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      const worker = this.#running()
      worker.ref()
      worker.postMessage({ id, fd } satisfies ToHash)
    })
  }

  /** Ends the thread; what it was asked is answered with an error. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idle)
    await this.#worker?.terminate()
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker
    // The sources run as .ts, the packed program as .js.
    const entry = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js'
    const worker = new Worker(new URL(entry, import.meta.url))
    worker.on('message', (hashed: Hashed) => this.#settle(hashed))
    worker.once('error', () => undefined)
    worker.once('exit', () => {
      // One that was idle has gone already, and who waits now waits for its successor.
      if (this.#worker !== worker) return
      this.#worker = undefined
      for (const id of [...this.#waiting.keys()]) this.#settle({ id, error: ENDED })
    })
    this.#worker = worker
    return worker
  }

  #settle(hashed: Hashed): void {
    this.#waiting.get(hashed.id)?.(hashed)
    this.#waiting.delete(hashed.id)
    // Not idle but ending: without a handle the process could go before whoever awaits `close` goes on.
    if (this.#waiting.size > 0 || this.#isClosed) return
    this.#worker?.unref()
    this.#idle = setTimeout(() => this.#rest(), this.#idleMs).unref()
  }

  #rest(): void {
    const worker = this.#worker
    this.#worker = undefined
    void worker?.terminate()
  }
}
