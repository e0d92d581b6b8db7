import { chmodSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { Effect } from '../../src/policy/effect.ts'
import { restoreDatabase } from '../../src/store/restore.ts'
import { MIGRATIONS, openStore, scratchDir, type Teardown } from '../support/store-world.ts'

/** A stopped server's data directory, and a backup of its database. */
async function aBackup(t: Teardown, ...effects: Effect[]) {
  const dataDir = scratchDir(t)
  const backup = path.join(scratchDir(t), 'backup.db')
  const store = openStore(t, dataDir)
  await store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects }),
  )
  await store.backup(backup)
  store.close()
  return { dataDir, backup, restore: () => restoreDatabase(dataDir, backup, MIGRATIONS, 'restore') }
}

t.test(
  'a backup that is kept read-only, or open to all, becomes a database of its owner alone',
  async (t) => {
    const { dataDir, backup, restore } = await aBackup(t)
    for (const mode of [0o400, 0o444, 0o644]) {
      chmodSync(backup, mode)
      restore()
      t.equal(statSync(path.join(dataDir, 'pilotlight.db')).mode & 0o777, 0o600, mode.toString(8))
    }
  },
)

t.test('a new host: the data directory is made, for its owner alone', async (t) => {
  const { backup } = await aBackup(t)
  const dataDir = path.join(scratchDir(t), 'var', 'data')
  t.match(restoreDatabase(dataDir, backup, MIGRATIONS, 'take-over'), { machines: 0 })
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
})

t.test('who reads the events misses none of a restored database, and hears what may be lost', async (t) => {
  const told = (type: string): Effect => ({
    kind: 'append-event',
    event: { atMs: 1, type, data: {} },
  })
  const { dataDir, restore } = await aBackup(t, told('test.before'))
  const lost = openStore(t, dataDir)
  await lost.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects: [told('test.lost'), told('test.lost')] }),
  )
  const read = lost.lists.events.lastSeq()
  lost.close()
  restore()

  const store = openStore(t, dataDir)
  await store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects: [told('test.after')] }),
  )
  t.match(store.lists.events.after(read, 10), [{ type: 'test.after' }])
  t.ok(store.lists.events.droppedTo() > read, 'what was written since the backup is told of as dropped')
  t.ok(store.lists.events.droppedTo() < store.lists.events.lastSeq())
  store.close()
})
