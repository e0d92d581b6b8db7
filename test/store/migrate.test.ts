import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { migrate } from '../../src/store/migrate.ts'
import { openWriter } from '../../src/store/open-database.ts'
import { Store } from '../../src/store/store.ts'
import { MIGRATIONS, scratchDir, type Teardown } from '../support/store-world.ts'

const FIRST = 'CREATE TABLE rack (name TEXT PRIMARY KEY) STRICT;'
const SECOND = 'ALTER TABLE rack ADD COLUMN height_units INTEGER NOT NULL DEFAULT 42;'

/** A database file and a directory of migrations that a test fills. */
function aWorld(t: Teardown) {
  const dir = scratchDir(t)
  const migrations = path.join(dir, 'migrations')
  mkdirSync(migrations)
  const file = path.join(dir, 'pilotlight.db')
  return {
    file,
    write: (name: string, sql: string) => writeFileSync(path.join(migrations, name), sql),
    run: (): string | undefined => {
      const db = openWriter(file)
      try {
        return migrate(db, file, migrations)
      } finally {
        db.close()
      }
    },
    read: (sql: string, from = file): unknown[] => {
      const db = new Database(from, { readonly: true })
      try {
        return db.prepare(sql).pluck().all()
      } finally {
        db.close()
      }
    },
  }
}

t.test('a new database is brought to the newest migration, and nothing is copied', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.write('002-height.sql', SECOND)
  t.equal(world.run(), undefined)
  t.same(world.read('SELECT name FROM schema_version ORDER BY number'), ['001-racks.sql', '002-height.sql'])
  t.equal(world.run(), undefined, 'a second start has nothing to do')
})

t.test('a database that holds something is copied beside itself before it is migrated', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.run()
  const db = new Database(world.file)
  db.exec("INSERT INTO rack (name) VALUES ('r1')")
  db.close()
  world.write('002-height.sql', SECOND)
  const copy = world.run()
  t.equal(copy, `${world.file}.before-002`)
  t.same(world.read('SELECT name FROM rack', copy), ['r1'])
  t.same(world.read('SELECT count(*) FROM schema_version', copy), [1], 'the copy is as it was before')
  t.same(world.read('SELECT height_units FROM rack'), [42])
})

t.test('a copy that is there already is not overwritten', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.run()
  writeFileSync(`${world.file}.before-002`, 'precious')
  world.write('002-height.sql', SECOND)
  t.equal(world.run(), `${world.file}.before-002.1`)
  t.equal(readFileSync(`${world.file}.before-002`, 'utf8'), 'precious')
})

t.test('a copy is its owner’s alone, as the database is', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.run()
  world.write('002-height.sql', SECOND)
  t.equal(statSync(String(world.run())).mode & 0o777, 0o600)
})

t.test(
  'a copy that cannot be finished does not stay: each start that tries again would add one',
  async (t) => {
    const world = aWorld(t)
    world.write('001-racks.sql', FIRST)
    world.run()
    const db = new Database(world.file)
    db.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO rack SELECT 'r' || i FROM n",
    )
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    const bytes = readFileSync(world.file)
    writeFileSync(world.file, bytes.fill(0x5a, bytes.length - 8192))
    world.write('002-height.sql', SECOND)
    t.throws(() => world.run(), { code: 'SQLITE_CORRUPT' })
    const names = readdirSync(path.dirname(world.file))
    t.same(
      names.filter((name) => name.includes('before')),
      [],
    )
  },
)

t.test('one migration that fails leaves the database as it was, the ones before it included', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.run()
  world.write('002-height.sql', SECOND)
  world.write('003-broken.sql', 'CREATE TABLE half (a TEXT) STRICT; INSERT INTO nowhere VALUES (1);')
  t.throws(() => world.run(), /no such table: nowhere/)
  t.same(world.read('SELECT max(number) FROM schema_version'), [1])
  t.same(world.read("SELECT name FROM sqlite_schema WHERE name IN ('half', 'nowhere')"), [])
  t.same(world.read("SELECT name FROM pragma_table_info('rack')"), ['name'])
})

t.test('a database of a newer program is refused, and the message says what to do', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.run()
  const db = new Database(world.file)
  db.exec("INSERT INTO schema_version VALUES (2, '002-future.sql', 'ff', '2030-01-01T00:00:00Z')")
  db.close()
  const refusal = {
    code: 'database-newer',
    message: /at migration 2, this program knows 1: run the newer program/,
  }
  t.throws(() => world.run(), refusal)
  t.same(world.read('SELECT count(*) FROM schema_version'), [2], 'nothing was touched')
})

t.test('a landed migration that was edited since is refused', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.run()
  world.write('001-racks.sql', `${FIRST}\n-- a late thought`)
  t.throws(() => world.run(), {
    code: 'migration-edited',
    message: /001-racks.sql was edited after it was applied/,
  })
})

t.test('numbers with a gap, or twice the same, are refused', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.write('003-height.sql', SECOND)
  t.throws(() => world.run(), { code: 'migration-missing', message: /003-height.sql where number 2 is due/ })
  const twice = aWorld(t)
  twice.write('001-racks.sql', FIRST)
  twice.write('001-shelves.sql', FIRST)
  t.throws(() => twice.run(), /001-shelves.sql where number 2 is due/)
})

t.test('files that are no migrations are left alone', async (t) => {
  const world = aWorld(t)
  world.write('001-racks.sql', FIRST)
  world.write('README.md', 'not SQL')
  world.write('001-racks.sql~', 'not SQL')
  t.doesNotThrow(() => world.run())
})

t.test('a file that is no database is said so, with the cure', async (t) => {
  const dataDir = scratchDir(t)
  writeFileSync(path.join(dataDir, 'pilotlight.db'), 'x'.repeat(8192))
  const open = () => Store.open({ dataDir, migrationsDir: MIGRATIONS, onFatal: () => undefined })
  t.throws(open, { code: 'database-unreadable', message: /pilotlight\.db/, cure: /backup|copy/ })
})
