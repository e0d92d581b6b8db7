import { Worker } from 'node:worker_threads'
import type { Hashed, ToHash } from './hash-worker.ts'

/** Hashes open files in a thread of its own, one after the other. An idle thread keeps no process alive. */
export class FileHasher {
  readonly #waiting = new Map<number, (hashed: Hashed) => void>()
  #worker: Worker | undefined
  #nextId = 0

  hash(fd: number): Promise<Hashed> {
    const id = this.#nextId++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      const worker = this.#running()
      worker.ref()
      worker.postMessage({ id, fd } satisfies ToHash)
    })
  }

  async close(): Promise<void> {
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
      this.#worker = undefined
      for (const id of [...this.#waiting.keys()]) this.#settle({ id, error: 'the hashing thread ended' })
    })
    this.#worker = worker
    return worker
  }

  #settle(hashed: Hashed): void {
    this.#waiting.get(hashed.id)?.(hashed)
    this.#waiting.delete(hashed.id)
    if (this.#waiting.size === 0) this.#worker?.unref()
  }
}
