import path from 'node:path'
import { DataDirLock } from './data-dir-lock.ts'
import { checkMigrations } from './migrate.ts'
import { openWriter } from './open-database.ts'

/**
 * Makes every operator's token void; a server that starts without any makes a new first one.
 *
 * @returns how many there were.
 * @throws DataDirInUse, DatabaseUnreadable, MigrationError
 */
export function voidTokens(dataDir: string, migrationsDir: string): number {
  const lock = DataDirLock.take(dataDir)
  try {
    const db = openWriter(path.join(dataDir, 'pilotlight.db'))
    try {
      checkMigrations(db, migrationsDir)
      return db.prepare('DELETE FROM api_token').run().changes
    } finally {
      db.close()
    }
  } finally {
    lock.release()
  }
}
