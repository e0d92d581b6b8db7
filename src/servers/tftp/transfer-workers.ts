import { Worker } from 'node:worker_threads'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { TransferOrder, TransferResult } from './session.ts'
import type { RunningTransfer, TransferHost } from './transfer-host.ts'
import type { FromWorker, ToWorker } from './transfer-worker.ts'

/** A thread that has had no transfer for so long ends: it would hold 12 MiB until the next hall is switched on. */
const IDLE_MS = 10_000

interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, (result: TransferResult) => void>
  readonly fileIds: Set<number>
  /** Ends it, unless a transfer comes first. */
  idle?: NodeJS.Timeout
}

export interface WorkersOptions {
  readonly localAddress: Ipv4
  /** As many threads at most. */
  readonly count: number
  /** For all of them together. */
  readonly cacheBytes: number
  /** A thread died, and its transfers ended; another takes its place when it is needed. */
  onDeath(error: unknown): void
  readonly idleMs?: number
}

/**
 * Runs transfers in threads of their own; each has sockets of its own. The thread with the fewest transfers gets the
 * next, a new one where all are at work. A file's bytes are shared memory, copied there once.
 */
export class TransferWorkers implements TransferHost {
  readonly #options: WorkersOptions
  readonly #threads = new Set<Thread>()
  readonly #shared = new WeakMap<Uint8Array, { readonly fileId: number; readonly bytes: Uint8Array }>()
  #nextId = 0

  constructor(options: WorkersOptions) {
    this.#options = options
  }

  /** How many threads there are now. */
  get size(): number {
    return this.#threads.size
  }

  begin({ to, fileBytes, terms }: TransferOrder): RunningTransfer {
    const thread = this.#leastBusy()
    clearTimeout(thread.idle)
    const { fileId, bytes } = this.#share(fileBytes)
    if (!thread.fileIds.has(fileId)) {
      thread.fileIds.add(fileId)
      tell(thread, { kind: 'file', fileId, bytes })
    }
    const id = this.#nextId++
    const ended = new Promise<TransferResult>((resolve) => thread.pending.set(id, resolve))
    tell(thread, { kind: 'begin', id, fileId, to, terms })
    return {
      ended,
      askAgain: () => tell(thread, { kind: 'ask-again', id }),
      drop: (message) => tell(thread, { kind: 'drop', id, message }),
      abort: (message) => tell(thread, { kind: 'abort', id, message }),
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()))
  }

  #share(fileBytes: Uint8Array) {
    const known = this.#shared.get(fileBytes)
    if (known !== undefined) return known
    const bytes = new Uint8Array(new SharedArrayBuffer(fileBytes.length))
    bytes.set(fileBytes)
    const shared = { fileId: this.#nextId++, bytes }
    this.#shared.set(fileBytes, shared)
    return shared
  }

  #leastBusy(): Thread {
    let least: Thread | undefined
    for (const one of this.#threads) {
      if (least === undefined || one.pending.size < least.pending.size) least = one
    }
    const mayGrow = this.#threads.size < this.#options.count
    return least === undefined || (least.pending.size > 0 && mayGrow) ? this.#startThread() : least
  }

  #startThread(): Thread {
    const { localAddress, count, cacheBytes } = this.#options
    // The sources run as .ts, the packed program as .js.
    const entry = import.meta.url.endsWith('.ts') ? './transfer-worker.ts' : './transfer-worker.js'
    const worker = new Worker(new URL(entry, import.meta.url), {
      workerData: { localAddress, cacheBytes: Math.floor(cacheBytes / count) },
    })
    const thread: Thread = { worker, pending: new Map(), fileIds: new Set() }
    worker.on('message', ({ id, result }: FromWorker) => {
      thread.pending.get(id)?.(result)
      thread.pending.delete(id)
      if (thread.pending.size === 0) this.#restLater(thread)
    })
    worker.once('error', (error) => this.#options.onDeath(error))
    worker.once('exit', () => this.#bury(thread))
    this.#threads.add(thread)
    return thread
  }

  #restLater(thread: Thread): void {
    thread.idle = setTimeout(() => {
      this.#threads.delete(thread)
      void thread.worker.terminate()
    }, this.#options.idleMs ?? IDLE_MS).unref()
  }

  #bury(thread: Thread): void {
    const end = { kind: 'aborted', code: 0, message: 'the thread that sent it ended' } as const
    for (const resolve of thread.pending.values()) resolve({ end, bytes: 0, resends: 0, durationMs: 0 })
    thread.pending.clear()
    this.#threads.delete(thread)
  }
}

function tell({ worker }: Thread, message: ToWorker): void {
  worker.postMessage(message)
}
