import { chmodSync, existsSync } from 'node:fs'
import Database from 'better-sqlite3'

export type Db = Database.Database

/** What lies where the database should be cannot be read as one. */
export class DatabaseUnreadable extends Error {
  readonly code = 'database-unreadable'
  readonly cure =
    'restore it from a backup, or from the copy that a migration made (pilotlight.db.before-NNN)'
  constructor(path: string, cause: unknown) {
    super(`${path} cannot be read as a database: ${(cause as Error).message}`, { cause })
  }
}

/**
 * Opens the one connection that writes: WAL, and `synchronous=FULL`, so that a COMMIT that returned is on the disk
 * (with NORMAL alone a power cut may take the last ones back, and with them leases that were acknowledged). See
 * `syncByHand` for what comes after the store is open.
 *
 * @throws DatabaseUnreadable
 */
export function openWriter(path: string): Db {
  const isNew = !existsSync(path)
  const db = new Database(path)
  try {
    if (isNew) chmodSync(path, 0o600)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('busy_timeout = 5000')
    db.pragma('temp_store = MEMORY')
    // The pages of a hall's leases: with the usual 2 MiB each new lease would read some and evict others.
    db.pragma('cache_size = -65536')
    // SQLite's own checkpoint after a COMMIT keeps its errors to itself: see checkpoint.ts.
    db.pragma('wal_autocheckpoint = 0')
    return db
  } catch (error) {
    db.close()
    const { code } = error as { code?: string }
    throw code === 'SQLITE_NOTADB' || code?.startsWith('SQLITE_CORRUPT')
      ? new DatabaseUnreadable(path, error)
      : error
  }
}

/**
 * From now on a COMMIT writes the log and does not wait for the disk: whoever commits syncs the log itself, and answers
 * after that. SQLite goes on syncing what keeps the file whole: the log before a checkpoint, the file after it, and the
 * log's header when it begins anew.
 */
export function syncByHand(db: Db): void {
  db.pragma('synchronous = NORMAL')
}

/** Opens a second connection for lists, which cannot hold up a decision. */
export function openReader(path: string): Db {
  const db = new Database(path, { readonly: true })
  db.pragma('busy_timeout = 5000')
  return db
}
