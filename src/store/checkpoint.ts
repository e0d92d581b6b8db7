import { statSync } from 'node:fs'
import { DiskThread } from './disk-thread.ts'
import { isIoError } from './disk-trouble.ts'
import type { Db } from './open-database.ts'

/** What the log may hold before it is moved: a checkpoint syncs the log and the file, so it is to be rare. */
const MOST_WAL_PAGES = 4096
const PAGE_BYTES = 4096
const COMMITS_BETWEEN_LOOKS = 32
/** However little each commit wrote, the log is moved after so many. */
const MOST_COMMITS = 1024
/** A thread that has nothing to do for so long ends: it holds some 10 MiB. */
const IDLE_MS = 10_000

/** What a thread's program says of a checkpoint. */
interface Moved {
  /** In the log at its last look, moved ones among them. */
  readonly logPages: number
  /** Pages that came while it worked: with none, the log begins anew by itself. */
  readonly came: number
}

/**
 * Moves what the write-ahead log holds into the database file once it has grown, after answers have left. A sync that
 * fails here is as final as one in a COMMIT: what the log said may be on the disk or not.
 *
 * It takes tens of milliseconds on a good disk and seconds on a bad one, so a thread with a connection of its own begins
 * when the log is half full, while the main one commits. SQLite begins the log anew when a commit finds all of it moved;
 * under a load that does not let up the main thread moves the last few pages itself. A log that is full before the
 * thread is done has the main thread wait for it, and do the rest: so the log stays within its bounds whatever the disk.
 *
 * The file of the log never shrinks, so once it has grown its size says nothing: how many commits fill the log is then
 * reckoned from what the last checkpoint found in it.
 */
export class Checkpointer {
  readonly #db: Db
  readonly #onFatal: (error: Error) => void
  #thread: DiskThread<Moved> | undefined
  #idle: NodeJS.Timeout | undefined
  /** Since the main thread moved the log, or the thread all of it. */
  #commits = 0
  /** How many commits fill the log; not known before a checkpoint has found some in it. */
  #filledAfter = Number.POSITIVE_INFINITY
  #largestBytes = 0
  #isScheduled = false
  #isMoving = false
  /** What the main thread is to do right after a commit: a little later it is in its next transaction. */
  #ownTurn: 'PASSIVE' | 'FULL' | undefined
  #isClosed = false

  constructor(db: Db, onFatal: (error: Error) => void) {
    this.#db = db
    this.#onFatal = onFatal
  }

  /** True while the thread works. */
  get isMoving(): boolean {
    return this.#isMoving
  }

  afterCommit(): void {
    this.#commits += 1
    if (this.#ownTurn !== undefined) this.#moveHere(this.#ownTurn)
    if (this.#commits % COMMITS_BETWEEN_LOOKS !== 0 || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#look()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#endThread()
  }

  #look(): void {
    if (this.#isClosed) return
    const bytes = walBytes(this.#db)
    // FULL waits for the thread, where it is not done.
    if (this.#isFilled(1, bytes)) this.#ownTurn = 'FULL'
    else if (!this.#isMoving && (this.#commits >= MOST_COMMITS || this.#isFilled(0.5, bytes)))
      this.#moveInThread()
  }

  #isFilled(part: number, bytes: number): boolean {
    const hasGrown = bytes >= part * MOST_WAL_PAGES * PAGE_BYTES && bytes > this.#largestBytes
    return hasGrown || this.#commits >= part * this.#filledAfter
  }

  #moveInThread(): void {
    this.#isMoving = true
    clearTimeout(this.#idle)
    this.#thread ??= new DiskThread('./checkpoint-worker.js', this.#db.name)
    this.#thread.run((error, moved) => {
      this.#isMoving = false
      if (error !== undefined) return this.#failed(error)
      this.#idle = setTimeout(() => this.#endThread(), IDLE_MS).unref()
      if (moved?.came === 0) this.#reckon(moved.logPages)
      else this.#ownTurn ??= 'PASSIVE'
    })
  }

  /** A full disk leaves all of it in the log, which is where readers find it. */
  #failed(error: Error): void {
    if (this.#isClosed) return
    if (isIoError(error)) return this.#onFatal(error)
    if (this.#thread?.isReady !== true) this.#thread = undefined
    this.#ownTurn ??= 'PASSIVE'
  }

  #moveHere(how: 'PASSIVE' | 'FULL'): void {
    this.#ownTurn = undefined
    try {
      const [moved] = this.#db.pragma(`wal_checkpoint(${how})`) as { readonly log: number }[]
      this.#reckon(moved?.log ?? 0)
    } catch (error) {
      if (isIoError(error)) this.#onFatal(error as Error)
    }
  }

  /** All of the log is moved; `pages` is what it held. */
  #reckon(pages: number): void {
    if (this.#commits > 0)
      this.#filledAfter = Math.ceil((this.#commits * MOST_WAL_PAGES) / Math.max(pages, 1))
    this.#largestBytes = walBytes(this.#db)
    this.#commits = 0
  }

  #endThread(): void {
    clearTimeout(this.#idle)
    void this.#thread?.end()
    this.#thread = undefined
  }
}

function walBytes(db: Db): number {
  return statSync(`${db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0
}
