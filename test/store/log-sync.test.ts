import { closeSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { LogSync, syncThread } from '../../src/store/log-sync.ts'
import { scratchDir, type Teardown } from '../support/store-world.ts'

function aLog(t: Teardown): string {
  const file = path.join(scratchDir(t), 'pilotlight.db-wal')
  writeFileSync(file, 'committed')
  return file
}

/** Resolves when a sync has ended, with its error. */
function ended(one: { sync(done: (error?: Error) => void): void }): Promise<Error | undefined> {
  return new Promise((resolve) => one.sync(resolve))
}

/** As `ended`, of a thread. */
function worked(thread: ReturnType<typeof syncThread>): Promise<Error | undefined> {
  return new Promise((resolve) => thread.run((error) => resolve(error)))
}

t.test('a short sync is over when it returns, and needs no thread', async (t) => {
  const sync = new LogSync(aLog(t), { nowMs: () => 0 })
  t.teardown(() => sync.close())
  const errors: (Error | undefined)[] = []
  sync.sync((error) => errors.push(error))
  t.same(errors, [undefined])
  t.notOk(sync.hasThread)
})

t.test('a log that is not there is told as an error', async (t) => {
  const sync = new LogSync(path.join(scratchDir(t), 'nothing'))
  t.teardown(() => sync.close())
  t.match(await ended(sync), { code: 'ENOENT' })
  t.throws(() => sync.syncNow(), { code: 'ENOENT' })
})

t.test('once syncs have taken too much of a second, a thread takes them', async (t) => {
  let nowMs = 0
  const slow = { nowMs: () => (nowMs += 20) }
  const sync = new LogSync(aLog(t), slow)
  t.teardown(() => sync.close())
  for (let n = 0; n < 2; n += 1) t.equal(await ended(sync), undefined)
  t.notOk(sync.hasThread, '40 ms')
  await ended(sync)
  t.ok(sync.hasThread, '60 ms')
  await sync.threadReady
  let isOver = false
  const first = ended(sync).then((error) => {
    isOver = true
    return error
  })
  t.notOk(isOver, 'the main thread goes on')
  t.equal(await first, undefined)
  t.equal(await ended(sync), undefined)
})

t.test('syncs that are far apart may take their time', async (t) => {
  let nowMs = 0
  const sync = new LogSync(aLog(t), { nowMs: () => (nowMs += 30) })
  t.teardown(() => sync.close())
  for (let n = 0; n < 20; n += 1) {
    await ended(sync)
    nowMs += 1000
  }
  t.notOk(sync.hasThread)
})

t.test(
  'the thread tells an error, and one that ends while a sync is under way is an error too',
  async (t) => {
    const log = openSync(aLog(t), 'r')
    const thread = syncThread(log)
    await thread.ready
    t.equal(await worked(thread), undefined)
    const last = worked(thread)
    await thread.end()
    t.match(await last, /has ended/)
    t.notOk(thread.isReady)
    closeSync(log)

    const pipe = openSync('/dev/null', 'r')
    const failing = syncThread(pipe)
    await failing.ready
    t.match(await worked(failing), { code: 'EINVAL' }, 'nothing that could be synced')
    await failing.end()
    closeSync(pipe)
  },
)
