import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Effect } from '../../src/policy/effect.ts'
import type { Store } from '../../src/store/store.ts'
import { aCluster, aLease, aMachine, anAttempt, ip, NOW } from '../support/builders.ts'
import { openStore, scratchDir, settled, TestClocks } from '../support/store-world.ts'

const MINUTE = 60_000
const RUNBOOK = new URL('../../docs/runbook.md', import.meta.url)

function carryOut(store: Store, ...effects: Effect[]) {
  return store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects }),
  )
}

/** A machine without cluster and image, which a bare database can hold. */
function bareMachine() {
  const { clusterId: _cluster, imageId: _image, ...machine } = aMachine()
  return machine
}

function mint(expiresAtMs: number, capMs: number): Effect {
  return {
    kind: 'mint-boot-token',
    tokenSha256: 'aa',
    bootId: 'b1',
    machineId: 'm1',
    address: ip('10.77.0.11'),
    atMs: NOW,
    expiresAtMs,
    capMs,
  }
}

/** A store that a server left `downMs` ago, as it is found after the next start. */
async function afterDowntime(
  t: Parameters<typeof openStore>[0],
  downMs: number,
  ...effects: Effect[]
): Promise<Store> {
  const dataDir = scratchDir(t)
  const before = openStore(t, dataDir)
  await carryOut(before, ...effects)
  before.close()
  const clocks = new TestClocks()
  clocks.wall = NOW + downMs
  return openStore(t, dataDir, clocks)
}

const BOOTING: Effect[] = [
  { kind: 'put-machine', machine: bareMachine() },
  { kind: 'begin-attempt', attempt: anAttempt({ heardAtMs: NOW }) },
]

t.test('what only its owner may read is made so', async (t) => {
  const dataDir = path.join(scratchDir(t), 'data')
  openStore(t, dataDir)
  const mode = (name: string) => statSync(path.join(dataDir, name)).mode & 0o777
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  for (const name of ['pilotlight.db', 'server.key', 'admin.token']) t.equal(mode(name), 0o600, name)
})

t.test('the first admin token is written once, and is good after a restart', async (t) => {
  const dataDir = scratchDir(t)
  const first = openStore(t, dataDir)
  const file = path.join(dataDir, 'admin.token')
  const token = readFileSync(file, 'utf8').trim()
  t.equal(first.lists.secrets.roleOf(token), 'admin')
  const { serverId } = first
  first.close()
  const second = openStore(t, dataDir)
  t.equal(readFileSync(file, 'utf8').trim(), token)
  t.equal(second.lists.secrets.roleOf(token), 'admin')
  t.equal(second.lists.secrets.roleOf(`${token}x`), undefined)
  t.equal(second.serverId, serverId)
  const text = readFileSync(path.join(dataDir, 'pilotlight.db')).toString('latin1')
  t.notOk(text.includes(token), 'the database knows its hash only')
})

t.test('a server key of the wrong length stops the start: sealed data would be lost for ever', async (t) => {
  const dataDir = scratchDir(t)
  writeFileSync(path.join(dataDir, 'server.key'), 'short')
  t.throws(() => openStore(t, dataDir), /server\.key has 5 bytes, want 32: restore it/)
  t.notOk(existsSync(path.join(dataDir, 'pilotlight.db')))
})

t.test('a server key that does not open what is sealed stops the start, and is not replaced', async (t) => {
  const dataDir = scratchDir(t)
  const key = path.join(dataDir, 'server.key')
  const cluster = aCluster()
  const first = openStore(t, dataDir)
  await carryOut(
    first,
    { kind: 'put-cluster', cluster },
    { kind: 'put-service-credential', clusterId: cluster.id, service: 'chainfire', text: 'Bearer x' },
  )
  first.close()
  const own = readFileSync(key)
  const refused = { code: 'server-key-unusable', cure: /put this server's own server\.key back/ }

  rmSync(key)
  t.throws(() => openStore(t, dataDir), {
    ...refused,
    message: /server\.key is missing, and .* sealed with it$/,
  })
  t.notOk(existsSync(key), 'no other key is made')
  writeFileSync(key, randomBytes(32))
  t.throws(() => openStore(t, dataDir), { ...refused, message: /server\.key is another key than/ })
  writeFileSync(key, 'short')
  t.throws(() => openStore(t, dataDir), { ...refused, message: /server\.key has 5 bytes/ })

  writeFileSync(key, own)
  const again = openStore(t, dataDir)
  t.equal(again.lists.secrets.serviceCredential(cluster.id, 'chainfire'), 'Bearer x')
  again.close()

  rmSync(key)
  const db = new Database(path.join(dataDir, 'pilotlight.db'))
  const [, sql = ''] = /sqlite3 \S+ "([^"]+)"/.exec(readFileSync(RUNBOOK, 'utf8')) ?? []
  db.exec(sql)
  db.close()
  const last = openStore(t, dataDir)
  t.strictSame(last.lists.secrets.servicesWithCredential(cluster.id), [], 'the last resort of the runbook')
  t.ok(existsSync(key))
})

t.test('what was decided just before an orderly stop is written', async (t) => {
  const dataDir = scratchDir(t)
  const store = openStore(t, dataDir)
  const decided = carryOut(store, { kind: 'put-lease', lease: aLease() })
  store.close()
  await decided
  t.equal(openStore(t, dataDir).lists.leases.list('', '', 10).length, 1)
})

t.test(
  'what was answered is seen in the lists at once, also when its COMMIT was still to come',
  async (t) => {
    const store = openStore(t, scratchDir(t))
    await carryOut(store, { kind: 'append-event', event: { atMs: NOW, type: 'test', data: {} } })
    t.equal(store.lists.events.after(0, 10).length, 1)
  },
)

t.test('a commit is told of after it, with its effects', async (t) => {
  const store = openStore(t, scratchDir(t))
  const told: string[] = []
  store.onCommit((effects) => {
    const isThere = store.lists.leases.atAddress(ip('10.77.0.11')) !== undefined
    told.push(...effects.map((effect) => `${effect.kind}:${isThere}`))
  })
  await carryOut(store, { kind: 'put-lease', lease: aLease() })
  t.same(told, ['put-lease:true'])
})

t.test('F14: downtime is given back to tokens, within their cap', async (t) => {
  const expiry = async (downMs: number, capMs: number) => {
    const store = await afterDowntime(t, downMs, ...BOOTING, mint(NOW + 15 * MINUTE, NOW + capMs))
    return (store.lists.redemptions.token('aa')?.expiresAtMs ?? 0) - NOW
  }
  t.equal(await expiry(10 * MINUTE, 120 * MINUTE), 25 * MINUTE)
  t.equal(await expiry(115 * MINUTE, 120 * MINUTE), 120 * MINUTE, 'no later than the cap')
})

t.test('F14: a token that had expired before the server went down stays expired', async (t) => {
  const store = await afterDowntime(t, 10 * MINUTE, ...BOOTING, mint(NOW - 1, NOW + 120 * MINUTE))
  t.equal(store.lists.redemptions.token('aa')?.expiresAtMs, NOW - 1)
})

t.test('F14: downtime is nobody’s silence', async (t) => {
  const store = await afterDowntime(t, 10 * MINUTE, ...BOOTING)
  t.equal(store.lists.attempts.byId('b1')?.heardAtMs, NOW + 10 * MINUTE)
})

t.test('a crash costs at most the time since the last note: the note is on the disk', async (t) => {
  const dataDir = scratchDir(t)
  const clocks = new TestClocks()
  const store = openStore(t, dataDir, clocks)
  clocks.pass(30_000)
  await store.noteTime()
  await settled()
  const db = new Database(path.join(dataDir, 'pilotlight.db'), { readonly: true })
  t.equal(
    db.prepare("SELECT value FROM server_meta WHERE key = 'last_time_ms'").pluck().get(),
    String(NOW + 30_000),
  )
  db.close()
})

t.test('the view knows when the server was last down; not at its very first start', async (t) => {
  const downtimeOf = async (store: Store) =>
    (
      await store.decide(
        (view) => view.downtime,
        (reply) => ({ reply, reason: 'test', effects: [] }),
      )
    ).reply
  t.equal(await downtimeOf(openStore(t, scratchDir(t))), undefined)
  t.same(await downtimeOf(await afterDowntime(t, 10 * MINUTE)), { fromMs: NOW, untilMs: NOW + 10 * MINUTE })
})

t.test('the write-ahead log is moved into the database before it grows without end', async (t) => {
  const dataDir = scratchDir(t)
  const store = openStore(t, dataDir)
  const note = 'x'.repeat(200_000)
  for (let n = 0; n < 160; n += 1) {
    await carryOut(
      store,
      { kind: 'put-lease', lease: aLease() },
      { kind: 'append-event', event: { atMs: NOW, type: 'test', data: { note } } },
    )
    await nextTurn()
  }
  const bytes = statSync(path.join(dataDir, 'pilotlight.db-wal')).size
  t.ok(bytes < 26_000_000, `32 MB were written, the log has ${bytes} bytes`)
})
