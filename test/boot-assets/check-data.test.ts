import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { NodeWorld } from './support/node-world.ts'

// founding.md §1, Data: on whose data may Chainfire and FlareDB start?

const BOOT = {
  BOOT_ID: 'b1',
  REPORT_URL: 'http://127.0.0.1:9/reports',
  GATE_URL: 'http://127.0.0.1:9/gates',
  CLUSTER_ID: 'c1',
  NODE_ID: 'node01',
  MEMBER_ID: 'node01.3',
  KEEP_DATA_chainfire: '',
  KEEP_DATA_flaredb: '',
  EPOCH: 2,
}

async function node(t: Test, data: Readonly<Record<string, string>>, changes: object = {}) {
  const world = await NodeWorld.create('127.0.0.1', [])
  t.teardown(() => world.destroy())
  await world.setBoot({ ...BOOT, ...changes })
  const directory = path.join(world.directory, 'data', 'chainfire')
  for (const [name, text] of Object.entries(data)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true })
    await writeFile(path.join(directory, name), text)
  }
  const marker = () => world.read('data/chainfire/.pilotlight-marker')
  const check = () => world.run('check-data.sh', ['--service', 'chainfire'])
  return { world, directory, marker, check }
}

t.test('empty data starts blank, and says whose beginning it is', async (t) => {
  const { check, marker } = await node(t, {})
  t.equal((await check()).code, 0)
  t.equal(await marker(), 'c1:0:node01.3')
})

t.test('a new file system is empty', async (t) => {
  const { check, directory } = await node(t, { 'lost+found/x': '' })
  t.equal((await check()).code, 0)
  t.ok(existsSync(path.join(directory, 'lost+found')))
})

const KEPT: readonly (readonly [string, string, object])[] = [
  ['the data that the configuration names', 'c1:2:node01.3', { KEEP_DATA_chainfire: 'node01.3' }],
  [
    'the data that the configuration names by an earlier name of the machine',
    'c1:2:old-name.3',
    { KEEP_DATA_chainfire: 'old-name.3' },
  ],
  ['what an installed system wrote since its installation', 'c1:2:node01.3', { INSTALLED: '1' }],
  ['the same, in a later life and epoch', 'c1:3:node01.4', { INSTALLED: '1' }],
  ['any data of this machine while the cluster is frozen', 'c1:1:node01.1', { KEEP_DATA_chainfire: 'any' }],
]
t.test('what is older than an installation is set aside, as it is in any boot', async (t) => {
  const { check, directory, world } = await node(
    t,
    { 'raft.db': 'data', '.pilotlight-marker': 'c1:1:node01.2' },
    { INSTALLED: '1' },
  )
  t.equal((await check()).code, 0)
  t.notOk(existsSync(path.join(directory, 'raft.db')))
  t.equal(await world.read('data/chainfire.set-aside/1/raft.db'), 'data')
})

for (const [name, marker, changes] of KEPT) {
  t.test(`kept: ${name}`, async (t) => {
    const world = await node(t, { 'raft.db': 'data', '.pilotlight-marker': marker }, changes)
    const { code, output } = await world.check()
    t.equal(code, 0, output)
    t.equal(await world.world.read('data/chainfire/raft.db'), 'data')
    t.equal(await world.marker(), marker)
  })
}

t.test("what is kept of FlareDB says nothing of Chainfire's data", async (t) => {
  const data = { 'raft.db': 'data', '.pilotlight-marker': 'c1:2:node01.2' }
  const { world, check } = await node(t, data, { KEEP_DATA_flaredb: 'node01.2' })
  t.equal((await check()).code, 0)
  t.equal(await world.read('data/chainfire.set-aside/1/raft.db'), 'data')
})

const OLDER: readonly (readonly [string, string, object])[] = [
  ['of an earlier epoch', 'c1:1:node01.2', {}],
  ['of an earlier life', 'c1:2:node01.2', {}],
  ['of this life, which the configuration does not keep', 'c1:2:node01.3', {}],
  ['of a beginning that never joined', 'c1:0:node01.3', {}],
]
for (const [name, marker, changes] of OLDER) {
  t.test(`moved aside, never deleted: data ${name}`, async (t) => {
    const {
      world,
      check,
      marker: markerNow,
    } = await node(
      t,
      { 'raft.db': 'old', '.hidden': 'too', 'sub dir/x': '1', '.pilotlight-marker': marker },
      changes,
    )
    const { code, output } = await check()
    t.equal(code, 0, output)
    const aside = 'data/chainfire.set-aside/1'
    t.equal(await world.read(`${aside}/raft.db`), 'old')
    t.equal(await world.read(`${aside}/.hidden`), 'too')
    t.equal(await world.read(`${aside}/sub dir/x`), '1')
    t.equal(await world.read(`${aside}/.pilotlight-marker`), marker)
    t.strictSame(await readdir(path.join(world.directory, 'data/chainfire')), ['.pilotlight-marker'])
    t.equal(await markerNow(), 'c1:0:node01.3')
  })
}

const FOREIGN: readonly (readonly [string, string, RegExp])[] = [
  ['another cluster', 'c9:1:node01.1', /data of another cluster/],
  ['another machine', 'c1:1:node02.1', /data of another machine/],
  ['a newer epoch', 'c1:3:node01.2', /newer data/],
  ['a newer life', 'c1:2:node01.4', /newer data/],
  ['a marker that nobody wrote', 'c1:x:node01.1', /cannot be read/],
  ['a marker with a command in it', 'c1:$(touch pwned):node01.1', /cannot be read/],
  ['no marker at all', '', /without a marker/],
]
for (const [name, marker, why] of FOREIGN) {
  t.test(`foreign-data: ${name}: nothing starts, nothing moves, one report`, async (t) => {
    const files = { 'raft.db': 'theirs', ...(marker === '' ? {} : { '.pilotlight-marker': marker }) }
    const { world, check } = await node(t, files)
    const { code, output } = await check()
    t.equal(code, 1)
    t.match(output, why)
    t.equal((await check()).code, 1, 'at every try')
    t.equal(await world.read('data/chainfire/raft.db'), 'theirs')
    const queue = await readdir(path.join(world.directory, 'run/queue'))
    t.strictSame(queue, ['000001.json'])
    t.match(JSON.parse(await world.read('run/queue/000001.json')).reports[0], {
      step: 'chainfire-cluster-join',
      state: 'failed',
      reason: /^foreign-data: /,
    })
    t.notOk(existsSync(path.join(world.directory, 'pwned')))
  })
}

t.test(
  'decided once a boot: a service that crashed before its join starts again on what it made',
  async (t) => {
    const { world, check, directory } = await node(t, {})
    t.equal((await check()).code, 0)
    await writeFile(path.join(directory, 'raft.db'), 'new')
    t.equal((await check()).code, 0)
    t.equal(await world.read('data/chainfire/raft.db'), 'new')
  },
)

t.test('set aside at the word of the gate: at the next start, and once', async (t) => {
  const { world, check, directory } = await node(
    t,
    { 'raft.db': 'removed member', '.pilotlight-marker': 'c1:2:node01.3' },
    { KEEP_DATA_chainfire: 'node01.3' },
  )
  t.equal((await check()).code, 0)
  await writeFile(path.join(world.directory, 'run', 'set-aside.chainfire'), '')
  t.equal((await check()).code, 0)
  t.equal(await world.read('data/chainfire.set-aside/1/raft.db'), 'removed member')
  t.notOk(existsSync(path.join(world.directory, 'run', 'set-aside.chainfire')))
  await writeFile(path.join(directory, 'raft.db'), 'blank')
  t.equal((await check()).code, 0)
  t.equal(await world.read('data/chainfire/raft.db'), 'blank')
})
