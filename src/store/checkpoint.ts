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
/** A log that was written all the time while it was moved never begins anew by itself: from here on it is made to. */
const TOO_MANY_WAL_PAGES = 2 * MOST_WAL_PAGES
/** A thread that has nothing to do for so long ends: it holds some 10 MiB. */
const IDLE_MS = 10_000

/** What a thread's program says of a checkpoint. */
interface Moved {
  /** In the log at its last look, moved ones among them. */
  readonly logPages: number
}

/**
 * Moves what the write-ahead log holds into the database file once it has grown, after answers have left. A sync that
 * fails here is as final as one in a COMMIT: what the log said may be on the disk or not.
 *
 * It takes tens of milliseconds on a good disk and seconds on a bad one, so a thread with a connection of its own does
 * it while the main one commits. SQLite begins the log anew when a commit finds all of it moved; under a load that
 * never lets up the main thread moves the last few pages itself.
 *
 * The file of the log never shrinks, so once it has grown its size says nothing: how many commits fill the log is then
 * reckoned from what the last checkpoint found in it.
 */
export class Checkpointer {
  readonly #db: Db
  readonly #onFatal: (error: Error) => void
  #thread: DiskThread<Moved> | undefined
  #idle: NodeJS.Timeout | undefined
  /** Since the last checkpoint. */
  #commits = 0
  #dueAfter = MOST_COMMITS
  /** The size of the file and the pages of the log at the last checkpoint. */
  #fileBytes = 0
  #logPages = 0
  #isScheduled = false
  #isMoving = false
  /** The main thread is to move what is left, right after a commit: a little later it is in its next transaction. */
  #isOwnTurn = false
  #isClosed = false

  constructor(db: Db, onFatal: (error: Error) => void) {
    this.#db = db
    this.#onFatal = onFatal
  }

  afterCommit(): void {
    this.#commits += 1
    if (this.#isOwnTurn) this.#moveHere()
    if (this.#commits % COMMITS_BETWEEN_LOOKS !== 0 || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#moveWhenDue()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#endThread()
  }

  #endThread(): void {
    clearTimeout(this.#idle)
    void this.#thread?.end()
    this.#thread = undefined
  }

  #moveWhenDue(): void {
    const db = this.#db
    if (this.#isClosed || this.#isMoving) return
    const fileBytes = walBytes(db)
    const hasGrown = fileBytes >= this.#fileBytes + MOST_WAL_PAGES * PAGE_BYTES
    if (!hasGrown && this.#commits < this.#dueAfter) return
    const commits = this.#commits
    this.#commits = 0
    this.#fileBytes = fileBytes
    this.#isMoving = true
    clearTimeout(this.#idle)
    this.#thread ??= new DiskThread('./checkpoint-worker.js', db.name)
    this.#thread.run((error, moved) => {
      this.#isMoving = false
      if (error === undefined && moved !== undefined) this.#moved(moved.logPages, commits)
      else this.#failed(error)
    })
  }

  #moved(logPages: number, commits: number): void {
    // A log that holds less than before has begun anew since then.
    const written = logPages >= this.#logPages ? logPages - this.#logPages : logPages
    this.#logPages = logPages
    const fillingCommits = Math.floor((commits * MOST_WAL_PAGES) / Math.max(written, 1))
    this.#dueAfter = Math.min(Math.max(fillingCommits, 1), MOST_COMMITS)
    if (logPages >= TOO_MANY_WAL_PAGES) this.#isOwnTurn = true
    this.#idle = setTimeout(() => this.#endThread(), IDLE_MS).unref()
  }

  /** A full disk leaves all of it in the log, which is where readers find it. */
  #failed(error: Error | undefined): void {
    if (this.#isClosed) return
    if (isIoError(error)) return this.#onFatal(error as Error)
    if (this.#thread?.isReady === true) return
    this.#thread = undefined
    this.#isOwnTurn = true
  }

  /** What was committed while the thread worked, or all of it where there is no thread. The next commit begins anew. */
  #moveHere(): void {
    this.#isOwnTurn = false
    try {
      this.#db.pragma('wal_checkpoint(PASSIVE)')
      this.#logPages = 0
    } catch (error) {
      if (isIoError(error)) this.#onFatal(error as Error)
    }
  }
}

function walBytes(db: Db): number {
  return statSync(`${db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0
}
