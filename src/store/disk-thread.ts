import { Worker } from 'node:worker_threads'

/** What the thread's program tells of a piece of work. */
export type DiskThreadWord<Answer> =
  | { readonly answer: Answer }
  | { readonly failure: { readonly code: string; readonly message: string } }

type Done<Answer> = (error: Error | undefined, answer?: Answer) => void

/**
 * A thread that waits for the disk in place of the main one, a piece of work at a time. It keeps no process alive but
 * while it starts or works.
 */
export class DiskThread<Answer> {
  /** Resolves when it takes work, or has failed to start. */
  readonly ready: Promise<void>
  readonly #worker: Worker
  #isReady = false
  #done: Done<Answer> | undefined

  /** @param program plain JavaScript beside this file, so that it starts without a compiler of its own. */
  constructor(program: string, workerData: unknown) {
    // Without what the command line asked of the main thread: a profile, a debugger.
    this.#worker = new Worker(new URL(program, import.meta.url), { workerData, execArgv: [] })
    this.ready = new Promise((resolve) => {
      this.#worker.once('online', () => {
        this.#isReady = true
        this.#worker.unref()
        resolve()
      })
      this.#worker.once('exit', () => resolve())
    })
    this.#worker.on('message', (word: DiskThreadWord<Answer>) => {
      if ('answer' in word) this.#end(undefined, word.answer)
      else this.#end(Object.assign(new Error(word.failure.message), { code: word.failure.code }))
    })
    // It has ended by itself: the main thread does its work again.
    this.#worker.once('error', (error) => this.#lost(error))
    this.#worker.once('exit', () => this.#lost(threadEnded()))
  }

  /** True while it takes work. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Calls back when the work is done. Not to be asked again before that. */
  run(done: Done<Answer>): void {
    this.#done = done
    // Work that somebody waits for is worth staying for.
    this.#worker.ref()
    this.#worker.postMessage(undefined)
  }

  /** Ends the thread; work under way is told as an error, for nobody will know how it ended. */
  async end(): Promise<void> {
    this.#lost(threadEnded())
    this.#worker.ref()
    await this.#worker.terminate()
  }

  #lost(error: Error): void {
    this.#isReady = false
    this.#end(error)
  }

  #end(error: Error | undefined, answer?: Answer): void {
    const done = this.#done
    this.#done = undefined
    if (this.#isReady) this.#worker.unref()
    done?.(error, answer)
  }
}

function threadEnded(): Error {
  return new Error('the thread that waits for the disk has ended')
}
