import { chmodSync, copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import type { RestoredBy } from '../policy/cluster/decide-restored.ts'
import { checkDatabase, type DatabaseFacts } from './check-database.ts'
import { makeDataDir } from './data-dir.ts'
import { DataDirLock } from './data-dir-lock.ts'
import { DatabaseUnreadable, type Db, openWriter } from './open-database.ts'
import { readSealed } from './read-sealed.ts'
import { ServerKey, syncDirectory } from './server-key.ts'
import { EventsTable } from './tables/events.ts'

const NAME_A_BACKUP = 'name a file that pilotlight backup wrote'

/** A backup that cannot be restored here; nothing was changed. */
export class RestoreRefused extends Error {
  readonly code: 'no-backup' | 'bad-backup' | 'other-key' | 'no-database'
  readonly cure: string
  constructor(code: RestoreRefused['code'], message: string, cure: string) {
    super(message)
    this.code = code
    this.cure = cure
  }
}

export interface Restored extends DatabaseFacts {
  /** Where the database lies that was there before; undefined where none was. */
  readonly keptAs?: string
}

/**
 * Puts a backup in the place of the database. It is copied, checked and marked beside it first; the one that was there
 * stays under another name; renaming is last, so that a crash leaves one or the other. At the next start the mark
 * freezes every cluster before a socket opens (F15).
 *
 * @throws DataDirUnusable, DataDirInUse, RestoreRefused, MigrationError
 */
export function restoreDatabase(
  dataDir: string,
  backup: string,
  migrationsDir: string,
  by: RestoredBy,
): Restored {
  if (!existsSync(backup)) throw new RestoreRefused('no-backup', `${backup} is not there`, NAME_A_BACKUP)
  if (!statSync(backup).isFile()) throw new RestoreRefused('no-backup', `${backup} is no file`, NAME_A_BACKUP)
  makeDataDir(dataDir)
  const lock = DataDirLock.take(dataDir)
  const file = path.join(dataDir, 'pilotlight.db')
  const fresh = `${file}.restoring`
  try {
    removeWithLog(fresh)
    copyForOwner(backup, fresh)
    if (existsSync(`${backup}-wal`)) copyForOwner(`${backup}-wal`, `${fresh}-wal`)
    const facts = marked(fresh, migrationsDir, by, dataDir)
    const keptAs = setAside(file)
    renameSync(fresh, file)
    syncDirectory(dataDir)
    return { ...facts, ...(keptAs === undefined ? {} : { keptAs }) }
  } catch (error) {
    removeWithLog(fresh)
    throw error instanceof DatabaseUnreadable ? badBackup(backup, error) : error
  } finally {
    lock.release()
  }
}

/** Said of the operator's file, not of the copy that was looked into. */
function badBackup(backup: string, { cause }: DatabaseUnreadable): RestoreRefused {
  const why = `${backup} cannot be read as a database: ${(cause as Error).message}`
  return new RestoreRefused('bad-backup', why, NAME_A_BACKUP)
}

/**
 * Marks the database that lies there as one from before: for a data directory that came back as a whole, from a snapshot
 * of its disk or on another host, where nothing beside the database could tell.
 *
 * @throws DataDirInUse, RestoreRefused, DatabaseUnreadable, MigrationError
 */
export function markRestored(dataDir: string, migrationsDir: string, by: RestoredBy): DatabaseFacts {
  const file = path.join(dataDir, 'pilotlight.db')
  if (!existsSync(file)) {
    throw new RestoreRefused('no-database', `${file} is not there`, 'restore a backup, or look at data_dir')
  }
  const lock = DataDirLock.take(dataDir)
  try {
    return marked(file, migrationsDir, by, dataDir)
  } finally {
    lock.release()
  }
}

/** Checks a database, writes the mark, and leaves it in one file that is on the disk. */
function marked(file: string, migrationsDir: string, by: RestoredBy, dataDir: string): DatabaseFacts {
  const db = openWriter(file)
  try {
    const facts = checkDatabase(db, file, migrationsDir)
    checkKey(db, dataDir)
    db.prepare("INSERT OR REPLACE INTO server_meta (key, value) VALUES ('restored_by', ?)").run(by)
    new EventsTable(db).leap()
    db.pragma('wal_checkpoint(TRUNCATE)')
    return facts
  } finally {
    db.close()
  }
}

/** Secrets are sealed with `server.key`, and the tokens of running nodes signed with it. */
function checkKey(db: Db, dataDir: string): void {
  const sealed = readSealed(db)
  if (sealed.length === 0) return
  try {
    ServerKey.for(sealed, dataDir)
  } catch {
    throw new RestoreRefused(
      'other-key',
      `the backup was sealed with another key than ${path.join(dataDir, 'server.key')}`,
      'put the server.key of the server that wrote the backup into data_dir first',
    )
  }
}

/** Keeps the database that is there under a name that is free; what cannot be read as one keeps its log beside it. */
function setAside(file: string): string | undefined {
  if (!existsSync(file)) return undefined
  try {
    const db = new Database(file)
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
  } catch {
    // A broken one is why people restore: it is kept as it is.
  }
  let kept = `${file}.before-restore`
  for (let count = 1; existsSync(kept); count += 1) kept = `${file}.before-restore.${count}`
  linkSync(file, kept)
  // A log of the old database beside the new one would be read into it.
  for (const end of ['-wal', '-shm']) if (existsSync(file + end)) renameSync(file + end, kept + end)
  return kept
}

/** A backup may be kept read-only, or open to all; the copy of it is neither. */
function copyForOwner(from: string, to: string): void {
  copyFileSync(from, to)
  chmodSync(to, 0o600)
}

function removeWithLog(file: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true })
}
