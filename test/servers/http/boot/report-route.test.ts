import t, { type Test } from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

const URL = '/machines/02-00-00-00-00-01/reports'

/** Machine 1 in its first boot, and how it reports. */
async function setUp(t: Test) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveBoot()
  const { token } = await world.fetchScript(1)
  const { provisioning } = JSON.parse((await world.redeem(1, token)).body.toString())
  const headers = { authorization: `Bearer ${provisioning.report_token}` }
  const bootId: string = provisioning.boot_id
  const report = (body: unknown, more: { headers?: Record<string, string>; url?: string } = {}) =>
    world.ask(1, more.url ?? URL, { method: 'POST', headers: more.headers ?? headers, body })
  return { world, headers, bootId, report }
}

const started = (sequence: number) => ({ step: 'chainfire-cluster-join', state: 'started', sequence })

t.test('many reports at once, and the same again changes nothing', async (t) => {
  const { world, bootId, report } = await setUp(t)
  const failed = { ...started(2), state: 'failed', reason: 'no leader' }
  const body = { boot_id: bootId, reports: [started(1), failed] }
  const answer = await report(body)
  t.equal(answer.status, 200)
  t.strictSame(JSON.parse(answer.body.toString()), { recorded: 2 })
  const again = await report(body)
  t.equal(again.status, 200)
  t.strictSame(JSON.parse(again.body.toString()), { recorded: 0 })
  t.match(world.store.lists.attempts.steps(bootId), [
    { step: 'chainfire-cluster-join', state: 'failed', reason: 'no leader' },
  ])
})

t.test('one report with its boot_id beside its fields is a report', async (t) => {
  const { bootId, report } = await setUp(t)
  t.equal((await report({ boot_id: bootId, ...started(1) })).status, 200)
})

t.test(
  'RFC 9110 §15.5.2: a 401 says which scheme is wanted, and §11.1: any case of it is taken',
  async (t) => {
    const { bootId, headers, report } = await setUp(t)
    const body = { boot_id: bootId, reports: [started(1)] }
    const challenge = 'Bearer realm="pilotlight"'
    for (const [answer, what] of [
      [await report(body, { headers: {} }), 'no token'],
      [await report({ ...body, boot_id: '00000000-0000-4000-8000-000000000000' }), 'another boot'],
      [await report(body, { url: '/machines/02-00-00-00-00-02/reports' }), 'another machine'],
    ] as const) {
      t.equal(answer.headers['www-authenticate'], challenge, what)
    }
    const authorization = headers.authorization.replace('Bearer', 'bearer')
    t.equal((await report(body, { headers: { authorization } })).status, 200)
  },
)

t.test("401: no token, a foreign one, another boot's, another machine's URL", async (t) => {
  const { bootId, headers, report } = await setUp(t)
  const body = { boot_id: bootId, reports: [started(1)] }
  t.equal((await report(body, { headers: {} })).status, 401)
  t.equal((await report(body, { headers: { authorization: 'Bearer nonsense' } })).status, 401)
  // Not at the end: some bits of a last base64url letter count for nothing.
  const turned = headers.authorization.replace(/.(?=.{9}$)/, (letter) => (letter === 'A' ? 'B' : 'A'))
  t.equal((await report(body, { headers: { authorization: turned } })).status, 401)
  t.equal((await report({ ...body, boot_id: '00000000-0000-4000-8000-000000000000' })).status, 401)
  t.equal((await report(body, { url: '/machines/02-00-00-00-00-02/reports' })).status, 401)
  t.equal((await report(body, { url: '/machines/nonsense/reports' })).status, 401)
})

t.test('422 names the field, so that the node drops this one; what came before it counts', async (t) => {
  const { bootId, report } = await setUp(t)
  const cases: readonly [string, unknown][] = [
    ['no list', { boot_id: bootId, reports: 7 }],
    ['an empty list', { boot_id: bootId, reports: [] }],
    ['257', { boot_id: bootId, reports: Array.from({ length: 257 }, (_, n) => started(n + 1)) }],
    ['no boot', { reports: [started(1)] }],
    ['a step that is not there', { boot_id: bootId, reports: [{ ...started(1), step: 'dance' }] }],
    ['sequence 0', { boot_id: bootId, reports: [started(0)] }],
    ['a state that is not there', { boot_id: bootId, reports: [{ ...started(1), state: 'so-so' }] }],
  ]
  for (const [what, body] of cases) {
    const answer = await report(body)
    t.equal(answer.status, 422, what)
    t.ok(JSON.parse(answer.body.toString()).field, what)
  }
  const half = await report({ boot_id: bootId, reports: [started(1), { ...started(2), state: 'so-so' }] })
  t.equal(half.status, 422)
  t.match(JSON.parse(half.body.toString()), { recorded: 1 })
})

t.test('409 for a boot that another one has followed: the node drops its queue', async (t) => {
  const { world, bootId, report } = await setUp(t)
  await world.put({ kind: 'arm-machine', machineId: 'm1', untilMs: world.store.nowMs() + 60_000 })
  await world.put({ kind: 'set-machine-state', machineId: 'm1', state: 'armed' })
  world.passTime(11 * 60_000)
  await world.put({ kind: 'arm-machine', machineId: 'm1', untilMs: world.store.nowMs() + 60_000 })
  const { token } = await world.fetchScript(1)
  t.equal((await world.redeem(1, token, { nonce: 'ef'.repeat(16) })).status, 200)
  const answer = await report({ boot_id: bootId, reports: [started(1)] })
  t.equal(answer.status, 409)
  t.match(JSON.parse(answer.body.toString()), { reason: 'stale-boot' })
})

t.test(
  '401 for a boot that a restored database never configured, and one event that names the cure',
  async (t) => {
    const { world } = await setUp(t)
    const bootId = '00000000-0000-4000-8000-00000000beef'
    const headers = { authorization: `Bearer ${world.store.peek((view) => view.key.reportToken(bootId))}` }
    for (const url of [URL, URL, '/machines/02-00-00-00-00-01/gates/chainfire-cluster-join']) {
      const answer =
        url === URL
          ? await fetch(`${world.bootUrl}${url}`, {
              method: 'POST',
              headers: { ...headers, 'content-type': 'application/json' },
              body: JSON.stringify({ boot_id: bootId, reports: [started(1)] }),
            })
          : await fetch(`${world.bootUrl}${url}`, { headers })
      t.equal(answer.status, 401, url)
    }
    const told = world.store.lists.events.after(0, 100).filter(({ type }) => type === 'boot.unknown')
    t.match(told, [{ machineId: 'm1', data: { boot_id: bootId, cure: /^pilotlight machine arm node01/ } }])
    t.equal(told.length, 1, 'once an hour')
  },
)

t.test(
  '401 once the cluster is deleted: its tokens are void, and nothing is recorded any more',
  async (t) => {
    const { world, headers, bootId, report } = await setUp(t)
    const [cluster] = world.store.lists.clusters.list('', 1)
    if (cluster === undefined) throw new Error('the world has a cluster')
    t.equal((await report({ boot_id: bootId, ...started(1) })).status, 200)
    await world.store.decide(
      () => undefined,
      () => ({
        reply: undefined,
        reason: 'F20',
        effects: [
          {
            kind: 'put-founding',
            clusterId: cluster.id,
            founding: { ...cluster.founding, state: 'closed' },
          },
        ],
      }),
    )
    t.equal((await report({ boot_id: bootId, ...started(2) })).status, 401)
    const gate = await fetch(
      `${world.bootUrl}/machines/02-00-00-00-00-01/gates/chainfire-cluster-join?boot_id=${bootId}`,
      { headers },
    )
    t.equal(gate.status, 401)
    t.match(world.store.lists.attempts.steps(bootId), [{ sequence: 1 }])
  },
)

t.test('what is no JSON, or too much of it, is refused without harm', async (t) => {
  const { world, headers } = await setUp(t)
  const send = (text: string, type = 'application/json') =>
    fetch(`${world.bootUrl}${URL}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': type },
      body: text,
    })
  t.equal((await send('{"boot_id": ')).status, 400)
  t.equal((await send('[]')).status, 422)
  t.equal((await send('boot_id=1', 'application/x-www-form-urlencoded')).status, 415)
  t.equal((await send(`{"x": "${'y'.repeat(300_000)}"}`)).status, 413)
  t.equal((await send('{"__proto__": {"a": 1}}')).status, 400)
})

t.test('503 while the store cannot write, with a time to come back', async (t) => {
  const { world, bootId, report } = await setUp(t)
  const { StoreUnavailable } = await import('../../../../src/store/disk-trouble.ts')
  const decide = world.store.decide
  Object.assign(world.store, { decide: () => Promise.reject(new StoreUnavailable('disk full')) })
  const answer = await report({ boot_id: bootId, reports: [started(1)] })
  Object.assign(world.store, { decide })
  t.equal(answer.status, 503)
  t.ok(Number(answer.headers['retry-after']) >= 1)
})
