import { closeSync, fdatasyncSync, openSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Checkpointer } from '../../src/store/checkpoint.ts'
import { type Db, openWriter, syncByHand } from '../../src/store/open-database.ts'
import { scratchDir, type Teardown } from '../support/store-world.ts'

const PAGE_BYTES = 4096
const PAGES_A_COMMIT = 96
const MIB = 1024 * 1024

/** A database that is written, its checkpointer, and what the main thread was made to move. */
function world(t: Teardown, name?: string) {
  const db = openWriter(path.join(scratchDir(t), 'pilotlight.db'))
  syncByHand(db)
  db.exec('CREATE TABLE pages (id INTEGER PRIMARY KEY, filler BLOB)')
  const insert = db.prepare('INSERT OR REPLACE INTO pages VALUES (?, ?)')
  const wal = openSync(`${db.name}-wal`, 'r')
  const here: string[] = []
  const seen = new Proxy(db, {
    get: (of, key) => {
      if (key === 'name') return name ?? of.name
      if (key !== 'pragma') return Reflect.get(of, key)
      return (text: string) => {
        here.push(text)
        return of.pragma(text)
      }
    },
  }) as Db
  const fatal: Error[] = []
  const checkpointer = new Checkpointer(seen, (error) => fatal.push(error))
  t.teardown(() => {
    checkpointer.close()
    closeSync(wal)
    db.close()
  })
  let next = 0
  const commit = (pages: number) => {
    db.exec('BEGIN')
    for (let page = 0; page < pages; page += 1)
      insert.run(next++ % 50_000, Buffer.alloc(PAGE_BYTES - 100, page))
    db.exec('COMMIT')
    // As the store does before anybody is answered.
    fdatasyncSync(wal)
    checkpointer.afterCommit()
  }
  const file = (end: string) => statSync(`${db.name}${end}`).size
  /** How often the log began anew: a field of its header, see the file format of SQLite, 4.1. */
  const beginnings = () => readFileSync(`${db.name}-wal`).readUInt32BE(12)
  const isMoving = () => checkpointer.isMoving
  return { commit, beginnings, isMoving, here, fatal, log: () => file('-wal'), moved: () => file('') }
}

t.test('a log that has grown is moved by a thread, and begins anew once all of it is', async (t) => {
  const { commit, beginnings, isMoving, here, fatal, log, moved } = world(t)
  for (const before of [0, 1]) {
    for (let commits = 0; commits < 32; commits += 1) commit(PAGES_A_COMMIT)
    await turn()
    t.equal(beginnings(), before)
    while (isMoving()) await sleep(10)
    commit(1)
    t.equal(beginnings(), before + 1)
  }
  t.ok(moved() > 16 * MIB)
  const grown = log()
  for (let commits = 0; commits < 10; commits += 1) commit(1)
  t.equal(log(), grown, 'its file is written from the start again')
  t.strictSame([here, fatal], [[], []], 'the main thread moved nothing')
})

t.test('under a load that never lets up the log stays within bounds', { timeout: 120_000 }, async (t) => {
  const { commit, here, fatal, log, moved } = world(t)
  for (let commits = 0; commits < 2000; commits += 1) {
    commit(32)
    await turn()
  }
  t.ok(moved() > 150 * MIB, `${Math.round(moved() / MIB)} MiB are moved`)
  t.ok(log() < 40 * MIB, `the log is ${Math.round(log() / MIB)} MiB long, of 250 MiB that were written`)
  t.ok(here.length > 0, 'the main thread moved the last few pages')
  t.strictSame(fatal, [])
})

t.test('without a thread that can do it the main one moves the log', async (t) => {
  const { commit, here, fatal, moved } = world(t, '/nowhere/pilotlight.db')
  for (let commits = 0; commits < 1100; commits += 1) {
    commit(8)
    await turn()
  }
  while (here.length === 0) {
    commit(1)
    await sleep(10)
  }
  t.ok(moved() > 16 * MIB)
  t.strictSame(fatal, [])
})
