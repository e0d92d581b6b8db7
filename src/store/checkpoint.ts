import { statSync } from 'node:fs'
import { isIoError } from './disk-trouble.ts'
import type { Db } from './open-database.ts'

/** What the log may hold before it is moved: a checkpoint stops everything for tens of ms, so it is to be rare. */
const MOST_WAL_PAGES = 4096
const PAGE_BYTES = 4096
const COMMITS_BETWEEN_LOOKS = 32
/** However little each commit wrote, the log is moved after so many. */
const MOST_COMMITS = 1024

/**
 * Moves what the write-ahead log holds into the database file once it has grown, after answers have left. A sync that
 * fails here is as final as one in a COMMIT: what the log said may be on the disk or not.
 *
 * The file of the log never shrinks, so once it has grown its size says nothing: how many commits fill the log is then
 * reckoned from what the last checkpoint found in it.
 */
export class Checkpointer {
  readonly #db: Db
  readonly #onFatal: (error: Error) => void
  /** Since the last checkpoint. */
  #commits = 0
  #dueAfter = MOST_COMMITS
  #largestBytes = 0
  #isScheduled = false

  constructor(db: Db, onFatal: (error: Error) => void) {
    this.#db = db
    this.#onFatal = onFatal
  }

  afterCommit(): void {
    this.#commits += 1
    if (this.#commits % COMMITS_BETWEEN_LOOKS !== 0 || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#checkpointWhenDue()
    })
  }

  #checkpointWhenDue(): void {
    const db = this.#db
    if (!db.open || db.inTransaction) return
    const bytes = walBytes(db)
    const hasGrown = bytes >= MOST_WAL_PAGES * PAGE_BYTES && bytes > this.#largestBytes
    if (!hasGrown && this.#commits < this.#dueAfter) return
    try {
      const [moved] = db.pragma('wal_checkpoint(PASSIVE)') as { readonly log: number }[]
      const pages = Math.max(moved?.log ?? 0, 1)
      this.#dueAfter = Math.min(Math.floor((this.#commits * MOST_WAL_PAGES) / pages), MOST_COMMITS)
      this.#largestBytes = bytes
      this.#commits = 0
    } catch (error) {
      // A full disk leaves all of it in the log, which is where readers find it.
      if (isIoError(error)) this.#onFatal(error as Error)
    }
  }
}

function walBytes(db: Db): number {
  return statSync(`${db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0
}
