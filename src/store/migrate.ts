import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Db } from './open-database.ts'

/** The database does not fit this program: newer than it, or made by a migration that was edited since. */
export class MigrationError extends Error {
  readonly code: 'database-newer' | 'migration-edited' | 'migration-missing'
  constructor(code: MigrationError['code'], message: string) {
    super(message)
    this.code = code
  }
}

interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
  readonly sha256: string
}

const CREATE_VERSIONS = `
  CREATE TABLE IF NOT EXISTS schema_version (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL
  ) STRICT`

/**
 * Brings the database forward to the newest migration of the directory, all pending ones in one transaction: one that
 * fails leaves the database as it was. A database that holds anything is copied beside itself first.
 *
 * @returns the path of the copy, where one was made.
 * @throws MigrationError
 */
export function migrate(db: Db, databasePath: string, directory: string): string | undefined {
  db.exec(CREATE_VERSIONS)
  const known = readMigrations(directory)
  const applied = appliedTo(db)
  checkApplied(applied, known)
  const pending = known.slice(applied.length)
  const [first] = pending
  if (first === undefined) return undefined
  const copy = applied.length === 0 ? undefined : copyBeside(db, databasePath, first)
  const insert = db.prepare(
    "INSERT INTO schema_version VALUES (@number, @name, @sha256, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
  )
  db.transaction(() => {
    for (const { sql, ...row } of pending) {
      db.exec(sql)
      insert.run(row)
    }
  })()
  return copy
}

/**
 * Whether this program knows all that a database has been through.
 *
 * @returns how many migrations that were.
 * @throws MigrationError
 */
export function checkMigrations(db: Db, directory: string): number {
  const applied = appliedTo(db)
  checkApplied(applied, readMigrations(directory))
  return applied.length
}

function appliedTo(db: Db): Migration[] {
  return db.prepare('SELECT number, name, sha256 FROM schema_version ORDER BY number').all() as Migration[]
}

function readMigrations(directory: string): Migration[] {
  const names = readdirSync(directory)
    .filter((name) => /^\d{3}-.*\.sql$/.test(name))
    .sort()
  return names.map((name, index) => {
    const number = Number(name.slice(0, 3))
    if (number !== index + 1) {
      const message = `migrations/ holds ${name} where number ${index + 1} is due; numbers must not have gaps`
      throw new MigrationError('migration-missing', message)
    }
    const sql = readFileSync(path.join(directory, name), 'utf8')
    return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
  })
}

function checkApplied(applied: readonly Omit<Migration, 'sql'>[], known: readonly Migration[]): void {
  for (const row of applied) {
    const own = known[row.number - 1]
    if (own === undefined) {
      const message = `the database is at migration ${applied.length}, this program knows ${known.length}: run the newer program, or restore the copy that was made before it`
      throw new MigrationError('database-newer', message)
    }
    if (own.sha256 !== row.sha256) {
      const message = `migration ${own.name} was edited after it was applied (sha256 ${own.sha256.slice(0, 12)}, the database has ${row.sha256.slice(0, 12)}): put the old text back and write a new migration`
      throw new MigrationError('migration-edited', message)
    }
  }
}

function copyBeside(db: Db, databasePath: string, next: Migration): string {
  const base = `${databasePath}.before-${String(next.number).padStart(3, '0')}`
  let copy = base
  for (let count = 1; existsSync(copy); count += 1) copy = `${base}.${count}`
  const handle = openSync(copy, 'wx', 0o600)
  try {
    db.prepare('VACUUM INTO ?').run(copy)
    fsyncSync(handle)
  } catch (error) {
    rmSync(copy)
    throw error
  } finally {
    closeSync(handle)
  }
  return copy
}
