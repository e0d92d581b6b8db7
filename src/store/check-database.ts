import { checkMigrations } from './migrate.ts'
import { DatabaseUnreadable, type Db } from './open-database.ts'

/** What a database says of itself. */
export interface DatabaseFacts {
  readonly clusters: number
  readonly machines: number
  /** The last time that its server noted, ms since 1970. */
  readonly lastTimeMs: number
  /** How many migrations it has been through. */
  readonly migrations: number
}

/**
 * Reads a database through: every page, every index, every reference, and whether this program knows its migrations.
 *
 * @throws DatabaseUnreadable, MigrationError
 */
export function checkDatabase(db: Db, file: string, migrationsDir: string): DatabaseFacts {
  try {
    return readThrough(db, file, migrationsDir)
  } catch (error) {
    const isBroken = String((error as { code?: string }).code).startsWith('SQLITE_')
    throw isBroken ? new DatabaseUnreadable(file, error) : error
  }
}

function readThrough(db: Db, file: string, migrationsDir: string): DatabaseFacts {
  const isOurs = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'").get() !== undefined
  if (!isOurs) throw new DatabaseUnreadable(file, new Error('it is no database of Pilotlight'))
  const problems = db.pragma('integrity_check', { simple: false }) as { integrity_check: string }[]
  const [first] = problems
  if (first?.integrity_check !== 'ok') {
    throw new DatabaseUnreadable(file, new Error(first?.integrity_check ?? 'the check says nothing'))
  }
  if ((db.pragma('foreign_key_check') as unknown[]).length > 0) {
    throw new DatabaseUnreadable(file, new Error('rows refer to others that are not there'))
  }
  const count = (table: 'cluster' | 'machine') =>
    db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number
  const lastTime = db.prepare("SELECT value FROM server_meta WHERE key = 'last_time_ms'").pluck().get()
  return {
    migrations: checkMigrations(db, migrationsDir),
    clusters: count('cluster'),
    machines: count('machine'),
    lastTimeMs: Number(lastTime ?? 0),
  }
}
