import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { Store } from '../../src/store/store.ts'
import { ServerProcess } from '../support/server-process.ts'
import { MIGRATIONS, openStore, scratchDir } from '../support/store-world.ts'

const SERVING = 'Pilotlight is serving'

t.test('two servers on one data directory', { timeout: 240_000 }, async (t) => {
  const first = await ServerProcess.start(t)
  const second = new ServerProcess(t, {
    ports: 100,
    prefix: () => ['env', `PILOTLIGHT_DATA_DIR=${first.dataDir}`],
    dataDirSeenFromHere: () => first.dataDir,
  })
  second.spawn()
  t.same(await second.ended(), { code: 1, signal: null }, 'the second refuses to start')
  const said = second.output.join('\n')
  t.match(said, `data_dir ${first.dataDir}: got one that process ${first.pid} serves from`)
  t.match(
    said,
    `want one that no server has open (data-dir-in-use)\ncure: stop process ${first.pid}, or give`,
  )
  t.notMatch(said, /\n {4}at /, 'without a stack')

  t.equal((await first.ask('GET', '/machines')).status, 200, 'the first goes on serving')
  const beside = new Database(path.join(first.dataDir, 'pilotlight.db'), { readonly: true })
  t.equal(
    beside.prepare('SELECT count(*) FROM machine').pluck().get(),
    0,
    'its database can be read beside it',
  )
  beside.close()

  await first.end('SIGKILL')
  first.spawn()
  second.spawn()
  const winner = await Promise.any(
    [first, second].map((server) => server.untilLogged(SERVING).then(() => server)),
  )
  const loser = winner === first ? second : first
  t.same(
    await loser.ended(),
    { code: 1, signal: null },
    'after a kill -9, of two that start at once one serves',
  )
  t.match(loser.output.join('\n'), 'want one that no server has open')
  t.equal((await winner.ask('GET', '/machines')).status, 200)
})

t.test('a data directory that cannot be made is said so, with the cure', async (t) => {
  const dataDir = path.join(scratchDir(t), 'file', 'data')
  writeFileSync(path.dirname(dataDir), '')
  const open = () => Store.open({ dataDir, migrationsDir: MIGRATIONS, onFatal: () => undefined })
  t.throws(open, {
    code: 'data-dir-unusable',
    message: `data_dir ${dataDir}: got ENOTDIR`,
    cure: /set data_dir/,
  })
})

t.test('a store that is closed, or that did not open, leaves its directory to the next', async (t) => {
  const dataDir = scratchDir(t)
  const open = () => Store.open({ dataDir, migrationsDir: MIGRATIONS, onFatal: () => undefined })
  const store = open()
  t.throws(open, {
    code: 'data-dir-in-use',
    cure: `stop process ${process.pid}, or give this server a data_dir of its own`,
  })
  t.throws(open, { code: 'data-dir-in-use' }, 'and whoever was refused has not taken the lock away')
  store.close()

  const database = path.join(dataDir, 'pilotlight.db')
  writeFileSync(database, 'x'.repeat(8192))
  t.throws(open, { code: 'database-unreadable' })
  rmSync(database)
  t.doesNotThrow(() => openStore(t, dataDir))
})
