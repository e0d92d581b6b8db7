import { createHash, randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { Mac } from '../../src/net/mac.ts'
import { exchange } from '../../src/sim/http-exchange.ts'
import { BootWorld } from '../support/boot-world.ts'
import { accessTo, runCli } from '../support/run-cli.ts'
import { type RedeemedConfig, ServerProcess, tokenIn } from '../support/server-process.ts'

const TIMEOUT = { timeout: 300_000 }
const FIRST = '02:6c:00:00:00:01' as Mac
const SECOND = '02:6c:00:00:00:02' as Mac

/** A cluster of two, its first machine armed and the second not. */
async function aServerWithACluster(t: Test) {
  const server = await ServerProcess.start(t)
  const image = await server.importImage()
  await server.api('POST', '/clusters', { name: 'prod', expected_control_plane: 2 })
  for (const [n, mac] of [FIRST, SECOND].entries()) {
    await server.api('POST', '/machines', {
      name: `node0${n + 1}`,
      macs: [mac],
      role: 'control-plane',
      cluster: 'prod',
      image,
      address: server.addressOf(n),
    })
  }
  const backUp = (file: string) => runCli(['backup', file, '--json'], accessTo(server))
  const restore = (...args: string[]) => runCli(['restore', '--config', server.configFile, ...args, '--json'])
  return { server, backUp, restore, file: path.join(server.workDir, 'backup.db') }
}

async function arm(server: ServerProcess, name: string) {
  return server.ask('POST', `/machines/${name}/arm`, {})
}

async function foundingOf(server: ServerProcess) {
  const { founding } = await server.api<{ founding: Record<string, unknown> }>('GET', '/clusters/prod')
  return founding
}

async function eventsOf(server: ServerProcess, type: string) {
  const { items } = await server.api<{ items: { type: string; data: Record<string, unknown> }[] }>(
    'GET',
    '/events?limit=1000',
  )
  return items.filter((event) => event.type === type)
}

t.test(
  'a restored backup freezes its clusters before anything is served, and the operator says what is true',
  TIMEOUT,
  async (t) => {
    const { server, backUp, restore, file } = await aServerWithACluster(t)
    t.equal((await arm(server, 'node01')).status, 200)
    const before = tokenIn(await server.fetchCommandLine(FIRST))
    const made = await backUp(file)
    t.equal(made.code, 0, made.stderr)
    const bytes = readFileSync(file)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    t.match(JSON.parse(made.stdout), { clusters: 1, machines: 2, bytes: bytes.length, sha256 })
    t.equal(statSync(file).mode & 0o777, 0o600)
    t.equal((await backUp(file)).code, 2, 'a file that is there is not overwritten')

    // What the backup does not know: the first machine founded.
    const nonce = randomBytes(16).toString('hex')
    const config = JSON.parse(
      (await server.redeem(FIRST, before, server.addressOf(0), nonce)).body.toString(),
    ) as RedeemedConfig
    t.match(config, { bootstrap: true, bootstrap_epoch: 1 })
    t.match(await restore(file), { code: 1, stderr: /data_dir .* got one that process \d+ serves from/ })

    await server.end('SIGTERM')
    const restored = await restore(file)
    t.equal(restored.code, 0, restored.stderr)
    t.ok(existsSync(JSON.parse(restored.stdout).kept_as), 'the database before is kept')
    await server.start()

    t.match(await foundingOf(server), { state: 'frozen', epoch: 0 })
    t.match(await eventsOf(server, 'database.restored'), [{ data: { by: 'restore', clusters_frozen: 1 } }])
    t.match(await eventsOf(server, 'cluster.frozen'), [{ data: { cure: /unfreeze prod/ } }])
    const refused = await arm(server, 'node01')
    t.equal(refused.status, 409)
    t.match(JSON.parse(refused.body.toString()), { code: 'cluster-frozen' })
    t.equal(
      (await server.redeem(FIRST, before, server.addressOf(0), nonce)).status,
      401,
      'old tokens are void',
    )
    t.equal((await server.report(config, server.addressOf(0), 1)).status, 401, 'and its boot is not known')
    t.match(await eventsOf(server, 'boot.unknown'), [
      { data: { name: 'node01', cure: /machine arm node01/ } },
    ])

    // No restart ends it; the operator's word does, and what is founded then has an epoch that was never given.
    await server.end('SIGKILL')
    await server.start()
    t.match(await foundingOf(server), { state: 'frozen' })
    t.equal((await eventsOf(server, 'database.restored')).length, 1, 'it froze once')
    const said = await runCli(['cluster', 'unfreeze', 'prod', '--as', 'open'], accessTo(server))
    t.equal(said.code, 0, said.stderr)
    t.equal((await arm(server, 'node02')).status, 200)
    const token = tokenIn(await server.fetchCommandLine(SECOND))
    const second = await server.redeem(SECOND, token, server.addressOf(1))
    t.match(JSON.parse(second.body.toString()), { bootstrap: true, bootstrap_epoch: 1001 })
  },
)

t.test('a database that was put back by hand is noticed, and one that was not is not', TIMEOUT, async (t) => {
  const { server, backUp, restore, file } = await aServerWithACluster(t)
  t.equal((await backUp(file)).code, 0)
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await server.end(signal)
    await server.start()
    t.match(await foundingOf(server), { state: 'open' }, `${signal} and a start are no restore`)
  }
  await server.end('SIGTERM')
  const database = path.join(server.dataDir, 'pilotlight.db')
  for (const end of ['-wal', '-shm']) rmSync(database + end, { force: true })
  copyFileSync(file, database)
  await server.start()
  t.match(await foundingOf(server), { state: 'frozen' })
  t.ok(server.logged.some(({ msg }) => msg.startsWith('the database is older')))
  t.equal((await runCli(['cluster', 'unfreeze', 'prod', '--as', 'open'], accessTo(server))).code, 0)

  // A data directory that came back whole tells nothing by itself: it is marked.
  await server.end('SIGTERM')
  t.equal((await restore('--mark', '--take-over')).code, 0)
  await server.start()
  t.match((await eventsOf(server, 'cluster.frozen')).at(-1), { data: { by: 'take-over' } })
})

t.test('what is no good backup is refused, and the database stays', TIMEOUT, async (t) => {
  const { server, backUp, restore, file } = await aServerWithACluster(t)
  t.equal((await arm(server, 'node01')).status, 200)
  const token = tokenIn(await server.fetchCommandLine(FIRST))
  t.equal((await server.redeem(FIRST, token, server.addressOf(0))).status, 200)
  t.equal((await backUp(file)).code, 0)
  await server.end('SIGTERM')
  const database = path.join(server.dataDir, 'pilotlight.db')
  const before = readFileSync(database)

  const broken = `${file}.broken`
  const bytes = readFileSync(file)
  writeFileSync(broken, bytes.fill(0x5a, 8192, 40_960))
  const text = `${file}.text`
  writeFileSync(text, 'no database')
  for (const [what, wanted] of [
    [broken, /cannot be read as a database/],
    [text, /cannot be read as a database/],
    [`${file}.none`, /is not there/],
  ] as const) {
    t.match(await restore(what), { code: 1, stderr: wanted }, what)
  }
  for (const [what, wanted] of [
    [text, `${text} cannot be read as a database: file is not a database (bad-backup)`],
    [server.dataDir, `${server.dataDir} is no file (no-backup)`],
  ] as const) {
    const stderr = `${wanted}\ncure: name a file that pilotlight backup wrote\n`
    t.strictSame(await restore(what), { code: 1, stdout: '', stderr })
  }
  t.match(await restore(), { code: 2, stderr: /a file to restore, or --mark/ })
  const key = path.join(server.dataDir, 'server.key')
  const ownKey = readFileSync(key)
  writeFileSync(key, randomBytes(32))
  t.match(await restore(file), { code: 1, stderr: /another key[\s\S]*cure: put the server\.key/ })
  writeFileSync(key, ownKey)
  t.ok(before.equals(readFileSync(database)), 'not a byte was changed')
  t.notOk(existsSync(`${database}.restoring`))
  await server.start()
  t.match(await foundingOf(server), { state: 'granted' })
})

t.test('a backup is for admins: it holds the hashes of tokens', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveOperator()
  const url = `http://${world.address}:8090/api/v1/backup`
  const ask = (token: string) => exchange({ url, headers: { authorization: `Bearer ${token}` } })
  for (const role of ['viewer', 'operator'] as const) {
    const token = world.store.peek((view) => view.secrets.makeToken(role, role, view.nowMs))
    const answer = await ask(token)
    t.equal(answer.status, 403, role)
    t.match(JSON.parse(answer.body.toString()), { code: 'forbidden' })
  }
  const admin = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const whole = await ask(admin)
  t.equal(whole.status, 200)
  t.equal(whole.body.subarray(0, 15).toString(), 'SQLite format 3')
  t.notOk(existsSync(path.join(world.directory, 'data', 'backup')), 'nothing is left beside the database')
})
