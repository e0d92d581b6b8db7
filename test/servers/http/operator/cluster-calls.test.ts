import { readFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

async function setUp(t: Test) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveOperator()
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const call = async (method: string, url: string, body?: unknown, key?: string) => {
    const response = await fetch(`http://${world.address}:8090/api/v1${url}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  }
  const { items } = (await call('GET', '/machines')).body
  const { items: clusters } = (await call('GET', '/clusters')).body
  return { call, machine: items[0].name as string, cluster: clusters[0]?.name as string }
}

t.test('a call without a body is good, and its event names the token it came by', async (t) => {
  const { call, machine } = await setUp(t)
  for (const verb of ['arm', 'hold', 'release', 'decommission']) {
    const { status, body } = await call('POST', `/machines/${machine}/${verb}`)
    t.equal(status, 200, `${verb} ${JSON.stringify(body)}`)
  }
  const { items } = (await call('GET', '/events?limit=1000')).body
  const ours = items.filter((event: { type: string }) =>
    ['machine.armed', 'machine.held', 'machine.released', 'machine.decommissioned'].includes(event.type),
  )
  t.ok(ours.length >= 4)
  for (const event of ours.slice(-4)) t.equal(event.data.by, 'admin')
  t.match((await call('POST', '/machines/nobody/arm')).status, 404)
})

t.test('a refusal is a 409 that names its cure', async (t) => {
  const { call, machine, cluster } = await setUp(t)
  const cases: readonly (readonly [string, string, unknown, string])[] = [
    ['POST', `/clusters/${cluster}/refound`, { machine }, 'not-founded'],
    ['POST', `/clusters/${cluster}/unfreeze`, { as: 'open' }, 'not-frozen'],
    ['POST', `/clusters/${cluster}/slots/chainfire-cluster-join/free`, {}, 'not-suspect'],
    ['POST', `/clusters/${cluster}/members/node01.1/forget`, {}, 'member-unknown'],
    ['POST', `/clusters/${cluster}/release`, undefined, 'not-held'],
    ['DELETE', `/clusters/${cluster}`, undefined, 'cluster-in-use'],
    ['POST', '/fleet/release', undefined, 'not-held'],
  ]
  for (const [method, url, body, code] of cases) {
    const answer = await call(method, url, body)
    t.match(answer, { status: 409, body: { code, cure: /\S/ } }, `${method} ${url}`)
  }
})

t.test('the same call with its key again gets the same answer and changes nothing', async (t) => {
  const { call, machine, cluster } = await setUp(t)
  const url = `/clusters/${cluster}/founding/move`
  const first = await call('POST', url, { to: machine }, 'key-1')
  t.equal(first.status, 200, JSON.stringify(first.body))
  const epoch = (await call('GET', `/clusters/${cluster}`)).body.founding.epoch
  const again = await call('POST', url, { to: machine }, 'key-1')
  t.strictSame(again, first)
  t.equal((await call('GET', `/clusters/${cluster}`)).body.founding.epoch, epoch, 'no second epoch')
  t.match(await call('POST', url, { to: machine, for_seconds: 60 }, 'key-1'), {
    status: 422,
    body: { code: 'idempotency-key-reused' },
  })
})

t.test(
  'a rename repeated with its key gets the same answer, though nobody has the old name any more',
  async (t) => {
    const { call, machine } = await setUp(t)
    const first = await call('PATCH', `/machines/${machine}`, { name: 'renamed' }, 'key-1')
    t.match(first, { status: 200, body: { name: 'renamed' } })
    t.strictSame(await call('PATCH', `/machines/${machine}`, { name: 'renamed' }, 'key-1'), first)
    t.match(await call('PATCH', `/machines/${machine}`, { name: 'renamed' }, 'key-2'), { status: 404 })
  },
)

t.test('a deletion repeated with its key gets the same answer', async (t) => {
  const { call } = await setUp(t)
  t.equal((await call('POST', '/clusters', { name: 'idle', expected_control_plane: 1 })).status, 201)
  t.equal((await call('DELETE', '/clusters/idle', undefined, 'key-1')).status, 204)
  t.equal((await call('DELETE', '/clusters/idle', undefined, 'key-1')).status, 204)
  t.match(await call('DELETE', '/clusters/idle', undefined, 'key-2'), { status: 404 })
})

t.test('an edit that meets a deletion registers no machine anew', async (t) => {
  const { call } = await setUp(t)
  const machine = { name: 'spare', macs: ['02:00:00:00:0a:01'], role: 'worker' }
  for (let round = 0; round < 20; round += 1) {
    t.equal((await call('POST', '/machines', machine)).status, 201)
    const [deleted, edited] = await Promise.all([
      call('DELETE', '/machines/spare'),
      call('PATCH', '/machines/spare', { ...machine, serial: 'S1' }),
    ])
    t.equal(deleted.status, 204)
    t.ok([200, 404].includes(edited.status), String(edited.status))
    t.equal((await call('GET', '/machines/spare')).status, 404, `after ${edited.status}`)
  }
})

t.test('only the state of one service is given up by a move of the founding', async (t) => {
  const { call, machine, cluster } = await setUp(t)
  const url = `/clusters/${cluster}/founding/move`
  const discards = { to: machine, discard_state: cluster }
  t.match(await call('POST', url, discards), {
    status: 422,
    body: { code: 'service-missing', cure: /refound/ },
  })
  t.match(await call('POST', url, { ...discards, service: 'flaredb' }), {
    status: 409,
    body: { code: 'not-founded' },
  })
})

t.test('the fleet is held at a step and let go', async (t) => {
  const { call } = await setUp(t)
  t.match((await call('POST', '/fleet/hold', { step: 'iam-initial-setup' })).body, { held: true })
  t.strictSame((await call('GET', '/fleet')).body, { held: true, step: 'iam-initial-setup' })
  t.match((await call('POST', '/fleet/release')).body, { held: false })
})

t.test("our own keys are refused in an operator's extra configuration, layer by layer", async (t) => {
  const { call, machine } = await setUp(t)
  const wish = { name: 'more', expected_control_plane: 1 }
  for (const [url, method, body] of [
    ['/clusters', 'POST', { ...wish, extra_config: { bootstrap: true } }],
    ['/clusters', 'POST', { ...wish, role_config: { worker: { keep_data: 'x' } } }],
    [`/machines/${machine}`, 'PATCH', { extra_config: { node_id: 'x' } }],
  ] as const) {
    t.match(await call(method, url, body), { status: 422, body: { code: 'reserved-key' } })
  }
  t.equal((await call('PATCH', `/machines/${machine}`, { extra_config: { ntp: 'x' } })).status, 200)
})

t.test('the password of IAM’s administrator is handed over once, however many ask at a time', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveOperator()
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const [cluster] = world.store.lists.clusters.list('', 1)
  const clusterId = cluster?.id ?? ''
  const ask = async () => {
    const response = await fetch(`http://${world.address}:8090/api/v1/clusters/${clusterId}/iam-password`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    })
    return {
      status: response.status,
      cache: response.headers.get('cache-control'),
      body: await response.json(),
    }
  }
  t.match(await ask(), { status: 409, body: { code: 'iam-not-set-up' } })
  const password = 'a-password-that-only-this-test-knows'
  await world.put(
    { kind: 'put-service-founding', row: { clusterId, service: 'iam', state: 'done', epoch: 1 } },
    { kind: 'put-cluster-secret', clusterId, name: 'iam-admin-password', text: password },
  )
  const answers = await Promise.all(Array.from({ length: 8 }, ask))
  const given = answers.filter(({ status }) => status === 200)
  t.match(given, [{ cache: 'no-store', body: { admin_user: 'admin', admin_password: password } }])
  t.equal(given.length, 1)
  for (const { status, body } of answers.filter((answer) => answer !== given[0]))
    t.match({ status, body }, { status: 409, body: { code: 'already-handed-over', cure: /\S/ } })
  const events = world.store.lists.events.after(0, 1000)
  t.equal(events.filter(({ type }) => type === 'cluster.iam-password-handed-over').length, 1)
  t.notOk(JSON.stringify([events, world.logged]).includes(password))
  t.equal(
    world.store.lists.secrets.clusterSecret(clusterId, 'iam-admin-password'),
    undefined,
    'it is kept no longer',
  )
})
