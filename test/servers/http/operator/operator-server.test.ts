import { readFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { Effect } from '../../../../src/policy/effect.ts'
import { BootWorld } from '../../../support/boot-world.ts'

async function setUp(t: Test, problems: readonly string[] = []) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(3)
  await world.serveOperator(problems)
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const base = `http://${world.address}:8090`
  const call = async (method: string, url: string, body?: unknown, bearer: string | undefined = token) => {
    const response = await fetch(`${base}${url}`, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: isJson ? JSON.parse(text) : text,
    }
  }
  return { world, call, base, token }
}

t.test('every route wants a good token but the two health checks', async (t) => {
  const { base, call } = await setUp(t)
  for (const url of ['/api/v1/machines', '/api/v1/events', '/api/v1/counters', '/api/v1/images']) {
    for (const headers of [
      {},
      { authorization: 'Bearer short' },
      { authorization: `Bearer ${'x'.repeat(43)}` },
    ]) {
      const response = await fetch(`${base}${url}`, { headers: { ...headers } })
      t.equal(response.status, 401, url)
      t.equal(response.headers.get('www-authenticate'), 'Bearer realm="pilotlight"', 'RFC 9110 §15.5.2')
      t.match(response.headers.get('content-type'), 'application/problem+json')
      t.match(await response.json(), { code: 'unauthorized', cure: String })
    }
  }
  t.equal((await fetch(`${base}/healthz`)).status, 200)
  t.equal((await fetch(`${base}/readyz`)).status, 200)
  t.equal((await call('GET', '/api/v1/machines')).status, 200)
})

t.test('RFC 9110 §11.1: the name of the scheme is taken in any case', async (t) => {
  const { base, token } = await setUp(t)
  for (const scheme of ['bearer', 'BEARER']) {
    const headers = { authorization: `${scheme} ${token}` }
    t.equal((await fetch(`${base}/api/v1/machines`, { headers })).status, 200, scheme)
  }
})

t.test('/readyz is red with a list of what stops machines from booting', async (t) => {
  const { call } = await setUp(t, ['no loaders'])
  t.match(await call('GET', '/readyz'), { status: 503, body: { ready: false, problems: ['no loaders'] } })
})

t.test('RFC 9457: what goes wrong is a problem document with field and cure', async (t) => {
  const { call } = await setUp(t)
  const cases: readonly [method: string, url: string, body: unknown, status: number, code: string][] = [
    ['GET', '/api/v1/machines/nobody', undefined, 404, 'machine-unknown'],
    ['GET', '/api/v1/images/none', undefined, 404, 'image-unknown'],
    ['GET', '/api/v1/boots/none', undefined, 404, 'boot-unknown'],
    ['GET', '/api/v1/nothing', undefined, 404, 'no-such-route'],
    ['GET', '/api/v1/machines/%zz', undefined, 400, 'bad-request'],
    ['GET', `/api/v1/images/${'n'.repeat(63)}:${'v'.repeat(63)}`, undefined, 404, 'image-unknown'],
    ['GET', `/api/v1/machines/${'m'.repeat(300)}`, undefined, 414, 'bad-request'],
    ['POST', '/api/v1/machines', { role: 'king' }, 400, 'malformed-body'],
    ['GET', '/api/v1/machines?limit=0', undefined, 422, 'limit-malformed'],
    ['GET', '/api/v1/machines?limit=1001', undefined, 422, 'limit-malformed'],
    ['POST', '/api/v1/images', { path: '/nowhere', name: 'x' }, 422, 'path-unreadable'],
    ['GET', '/api/v1/machines?after=a&after=b', undefined, 400, 'query-repeated'],
    ['GET', '/api/v1/events?limit=1&limit=1', undefined, 400, 'query-repeated'],
    ['GET', '/api/v1/machines/node01/packets?format=pcap&format=json', undefined, 400, 'query-repeated'],
    ['POST', '/api/v1/images/gc?dry_run=true&dry_run=false', undefined, 400, 'query-repeated'],
  ]
  for (const [method, url, body, status, code] of cases) {
    const answer = await call(method, url, body)
    t.equal(answer.status, status, url)
    t.match(answer.type, 'application/problem+json', url)
    t.match(
      answer.body,
      { type: `urn:pilotlight:problem:${code}`, code, status, title: String, detail: String },
      url,
    )
  }
})

t.test('the cure of what is not there is a command that there is', async (t) => {
  const { call } = await setUp(t)
  const cures = {
    machines: 'machine list',
    clusters: 'cluster list',
    images: 'image list',
    boots: 'machine boots NAME',
  }
  for (const [list, cure] of Object.entries(cures)) {
    t.match(await call('GET', `/api/v1/${list}/none`), { status: 404, body: { cure: `pilotlight ${cure}` } })
  }
})

t.test('events after what is no `seq` are refused: the whole feed is not what was asked for', async (t) => {
  const { call } = await setUp(t)
  for (const after of ['x', '-1', '1.5', '9'.repeat(16)]) {
    const { status, body } = await call('GET', `/api/v1/events?after=${after}`)
    t.match({ status, body }, { status: 422, body: { code: 'after-malformed', field: 'after' } }, after)
  }
  t.equal((await call('GET', '/api/v1/events?after=')).status, 200)
})

t.test('a list in pages is the whole list, each once, in order', async (t) => {
  const { call } = await setUp(t)
  const names: string[] = []
  let after: string | null = ''
  for (let pages = 0; after !== null && pages < 10; pages += 1) {
    const { body } = await call('GET', `/api/v1/machines?limit=2&after=${after}`)
    names.push(...body.items.map((item: { name: string }) => item.name))
    t.ok(body.items.length <= 2)
    after = body.next
  }
  t.strictSame(names, ['node01', 'node02', 'node03'])
})

t.test('events after a `seq` are those that came later, and none is missed or told twice', async (t) => {
  const { world, call } = await setUp(t)
  const emit = (type: string) =>
    world.put(
      { kind: 'append-event', event: { atMs: world.store.nowMs(), type, data: {} } },
      { kind: 'arm-machine', machineId: 'nobody', untilMs: undefined },
    )
  for (let n = 0; n < 5; n += 1) await emit(`test.${n}`)
  const types: string[] = []
  let after = 0
  for (let pages = 0; pages < 10; pages += 1) {
    const { body } = await call('GET', `/api/v1/events?after=${after}&limit=2`)
    if (body.items.length === 0) break
    types.push(...body.items.map((event: { type: string }) => event.type))
    after = body.next
  }
  t.strictSame(
    types.filter((type) => type.startsWith('test.')),
    ['test.0', 'test.1', 'test.2', 'test.3', 'test.4'],
  )
  const { body: end } = await call('GET', `/api/v1/events?after=${after}`)
  t.strictSame(end, { items: [], next: after }, 'the end says where to go on')
  await emit('test.late')
  t.match((await call('GET', `/api/v1/events?after=${after}`)).body.items, [{ type: 'test.late' }])
})

t.test('a reader that fell behind what was dropped is told so, one that follows is not', async (t) => {
  const { call, world } = await setUp(t)
  const note = (effects: readonly Effect[]) =>
    world.store.decide(
      () => undefined,
      () => ({ reply: undefined, reason: 'test', effects }),
    )
  const last = world.store.lists.events.lastSeq()
  await note(
    [1, 2, 3, 4].map((n) => ({
      kind: 'append-event',
      event: { atMs: world.store.nowMs(), type: `test.${n}`, data: {} },
    })),
  )
  const read = async (after: number) => (await call('GET', `/api/v1/events?after=${after}`)).body
  t.strictSame(Object.keys(await read(last)), ['items', 'next'])
  await note([{ kind: 'drop-events', seqs: [last + 1, last + 3] }])
  const behind = await read(last)
  t.equal(behind.dropped_to, last + 3)
  t.match(
    behind.items.map(({ type }: { type: string }) => type),
    ['test.2', 'test.4'],
  )
  t.match(await read(last + 2), { dropped_to: last + 3, items: [{ type: 'test.4' }] }, 'in the midst of it')
  t.strictSame(
    Object.keys(await read(last + 3)),
    ['items', 'next'],
    'whoever read them all has missed nothing',
  )
  t.match(await read(last + 4), { items: [], next: last + 4, dropped_to: undefined })
})
