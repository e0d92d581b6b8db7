import { existsSync } from 'node:fs'
import path from 'node:path'
import { checkMigrations } from '../store/migrate.ts'
import { DatabaseUnreadable, openReader } from '../store/open-database.ts'
import { readSealed } from '../store/read-sealed.ts'
import { ServerKey } from '../store/server-key.ts'
import { bad, type Check, ok } from './doctor-check.ts'
import { PROGRAM_DIR } from './program-dir.ts'

const NAME = 'database'

/** Would `serve` take the database that is there, and the key that its secrets are sealed with? */
export function databaseChecks(dataDir: string): readonly Check[] {
  const file = path.join(dataDir, 'pilotlight.db')
  if (!existsSync(file)) return []
  try {
    return [ok(NAME, `${file}, at migration ${look(file, dataDir)}`)]
  } catch (error) {
    const isOfSqlite = String((error as { code?: unknown }).code).startsWith('SQLITE_')
    return [refused(isOfSqlite ? new DatabaseUnreadable(file, error) : (error as Error))]
  }
}

/** @returns how many migrations the database has been through. */
function look(file: string, dataDir: string): number {
  const db = openReader(file)
  try {
    const migrations = checkMigrations(db, path.join(PROGRAM_DIR, 'migrations'))
    const sealed = readSealed(db)
    if (sealed.length > 0) ServerKey.for(sealed, dataDir)
    return migrations
  } finally {
    db.close()
  }
}

/** Some say their cure at the end of what they say. */
function refused(error: Error & { readonly cure?: string }): Check {
  if (error.cure !== undefined) return bad(NAME, error.message, error.cure)
  const [detail = error.message, cure = 'see the detail'] = error.message.split(/: (?=[^:]*$)/)
  return bad(NAME, detail, cure)
}
