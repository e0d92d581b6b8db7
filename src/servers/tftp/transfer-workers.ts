import { Worker } from 'node:worker_threads'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { TransferOrder, TransferResult } from './session.ts'
import type { RunningTransfer, TransferHost } from './transfer-host.ts'
import type { FromWorker, ToWorker } from './transfer-worker.ts'

interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, (result: TransferResult) => void>
  readonly fileIds: Set<number>
}

export interface WorkersOptions {
  readonly localAddress: Ipv4
  readonly count: number
  /** For all of them together. */
  readonly cacheBytes: number
  /** A thread died; its transfers ended, and it was replaced. */
  onDeath(error: unknown): void
}

/**
 * Runs transfers in threads of their own; each has sockets of its own. The thread with the fewest transfers gets the
 * next. A file's bytes are shared memory, copied there once.
 */
export class TransferWorkers implements TransferHost {
  readonly #options: WorkersOptions
  readonly #threads: Thread[]
  readonly #shared = new WeakMap<Uint8Array, { readonly fileId: number; readonly bytes: Uint8Array }>()
  #nextId = 0
  #isClosing = false

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#threads = Array.from({ length: options.count }, () => this.#startThread())
  }

  begin({ to, fileBytes, terms }: TransferOrder): RunningTransfer {
    const thread = this.#threads.reduce((least, one) => (one.pending.size < least.pending.size ? one : least))
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
    this.#isClosing = true
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
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
    })
    worker.once('error', (error) => this.#options.onDeath(error))
    worker.once('exit', () => this.#bury(thread))
    return thread
  }

  #bury(thread: Thread): void {
    const end = { kind: 'aborted', code: 0, message: 'the thread that sent it ended' } as const
    for (const resolve of thread.pending.values()) resolve({ end, bytes: 0, resends: 0, durationMs: 0 })
    thread.pending.clear()
    if (!this.#isClosing) this.#threads[this.#threads.indexOf(thread)] = this.#startThread()
  }
}

function tell({ worker }: Thread, message: ToWorker): void {
  worker.postMessage(message)
}
