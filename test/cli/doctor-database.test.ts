import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { databaseChecks } from '../../src/cli/doctor-database.ts'
import { openStore, scratchDir } from '../support/store-world.ts'

t.test('a database that serve refuses is no good to doctor either', async (t) => {
  const dataDir = scratchDir(t)
  t.strictSame(databaseChecks(dataDir), [], 'none is there yet')
  openStore(t, dataDir).close()
  const file = path.join(dataDir, 'pilotlight.db')
  const change = (sql: string) => {
    const db = new Database(file)
    db.exec(sql)
    db.close()
  }
  t.match(databaseChecks(dataDir), [
    { name: 'database', ok: true, detail: `${file}, at migration `, cure: '' },
  ])

  change("INSERT INTO schema_version VALUES (900, '900-later.sql', 'x', 'x')")
  t.match(databaseChecks(dataDir), [
    {
      ok: false,
      detail: /^the database is at migration \d+, this program knows \d+$/,
      cure: /^run the newer/,
    },
  ])
  change('DELETE FROM schema_version WHERE number = 900')

  const sealed = "INSERT INTO cluster_secret (cluster_id, name, sealed) VALUES ('c', 'n', x'00')"
  change(`PRAGMA foreign_keys = OFF; ${sealed}`)
  const key = path.join(dataDir, 'server.key')
  writeFileSync(key, randomBytes(32))
  const refused = { ok: false, cure: /put this server's own server\.key back/ }
  t.match(databaseChecks(dataDir), [{ ...refused, detail: /is another key/ }])
  rmSync(key)
  t.match(databaseChecks(dataDir), [{ ...refused, detail: /is missing/ }])

  writeFileSync(file, 'no database at all')
  t.match(databaseChecks(dataDir), [
    { ok: false, detail: /cannot be read/, cure: /^restore it from a backup/ },
  ])
})
