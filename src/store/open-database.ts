import { chmodSync, existsSync } from 'node:fs'
import Database from 'better-sqlite3'

export type Db = Database.Database

/** Offers live in memory, yet in the same connection, so that decisions see them under the same savepoints. */
const TEMP_TABLES = `
  CREATE TEMP TABLE offer (
    subnet        TEXT NOT NULL,
    mac           TEXT NOT NULL,
    address       TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (subnet, mac)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX temp.offer_by_address ON offer (address);
`

/**
 * Opens the one connection that writes: WAL, and `synchronous=FULL`, so that a COMMIT that returned is on the disk
 * (with NORMAL a power cut may take the last ones back, and with them leases that were acknowledged).
 */
export function openWriter(path: string): Db {
  const isNew = !existsSync(path)
  const db = new Database(path)
  if (isNew) chmodSync(path, 0o600)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  db.pragma('busy_timeout = 5000')
  db.pragma('temp_store = MEMORY')
  db.exec(TEMP_TABLES)
  return db
}

/** Opens a second connection for lists, which cannot hold up a decision. */
export function openReader(path: string): Db {
  const db = new Database(path, { readonly: true })
  db.pragma('busy_timeout = 5000')
  // The statements about offers must compile here too; the offers themselves are the writer's.
  db.exec(TEMP_TABLES)
  return db
}
