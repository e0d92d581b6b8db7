import { Worker } from 'node:worker_threads'

type Done = (error?: Error) => void

/** A thread that syncs one file, a sync at a time. It keeps no process alive but while it starts or syncs. */
export class SyncThread {
  /** Resolves when it takes syncs, or has failed to start. */
  readonly ready: Promise<void>
  readonly #worker: Worker
  #isReady = false
  #done: Done | undefined

  /** @param fd a descriptor of this process that stays open until `end`. */
  constructor(fd: number) {
    // Without what the command line asked of the main thread: a profile, a debugger.
    this.#worker = new Worker(new URL('./sync-worker.js', import.meta.url), { workerData: fd, execArgv: [] })
    this.ready = new Promise((resolve) => {
      this.#worker.once('online', () => {
        this.#isReady = true
        this.#worker.unref()
        resolve()
      })
      this.#worker.once('exit', () => resolve())
    })
    this.#worker.on('message', (failure: { readonly code: string } | undefined) => {
      this.#end(failure === undefined ? undefined : Object.assign(new Error('sync failed'), failure))
    })
    // It has ended by itself: the main thread syncs again.
    this.#worker.once('error', (error) => this.#lost(error))
    this.#worker.once('exit', () => this.#lost(new Error('the thread that syncs has ended')))
  }

  /** True while it takes syncs. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Calls back when the file is on the disk. Not to be asked again before that. */
  sync(done: Done): void {
    this.#done = done
    // A sync that somebody waits for is worth staying for.
    this.#worker.ref()
    this.#worker.postMessage(undefined)
  }

  /** Ends the thread; a sync under way is told as an error, for nobody will know how it ended. */
  async end(): Promise<void> {
    this.#lost(new Error('the thread that syncs has ended'))
    this.#worker.ref()
    await this.#worker.terminate()
  }

  #lost(error: Error): void {
    this.#isReady = false
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    const done = this.#done
    this.#done = undefined
    if (this.#isReady) this.#worker.unref()
    done?.(error)
  }
}
