import t, { type Test } from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

/** Machines 1 (founder) and 2 in their first boots. */
async function setUp(t: Test) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveBoot()
  const nodes: { bootId: string; headers: { authorization: string } }[] = []
  for (const n of [1, 2]) {
    const { token } = await world.fetchScript(n)
    const { provisioning } = JSON.parse((await world.redeem(n, token)).body.toString())
    nodes.push({
      bootId: provisioning.boot_id,
      headers: { authorization: `Bearer ${provisioning.report_token}` },
    })
  }
  const gate = (n: number, query = '', headers = nodes[n - 1]?.headers ?? { authorization: '' }) =>
    world.ask(n, `/machines/02-00-00-00-00-0${n}/gates/chainfire-cluster-join${query}`, { headers })
  const report = (n: number, body: object) =>
    world.ask(n, `/machines/02-00-00-00-00-0${n}/reports`, {
      method: 'POST',
      headers: nodes[n - 1]?.headers ?? {},
      body: { boot_id: nodes[n - 1]?.bootId, reports: [{ step: 'chainfire-cluster-join', ...body }] },
    })
  return { world, nodes, gate, report }
}

t.test('the founder goes through, the next one hears why it waits and when to ask again', async (t) => {
  const { gate } = await setUp(t)
  const open = await gate(1)
  t.equal(open.status, 200)
  t.equal(open.headers['cache-control'], 'no-store')
  t.match(JSON.parse(open.body.toString()), { action: 'found', epoch: 1, member_id: /^node01/ })
  const shut = await gate(2)
  t.equal(shut.status, 503)
  t.ok(Number(shut.headers['retry-after']) >= 1)
  t.match(JSON.parse(shut.body.toString()), { reason: String, detail: String })
})

t.test('a long poll answers as soon as the founder has reported, not when its time is up', async (t) => {
  const { gate, report } = await setUp(t)
  const pass = JSON.parse((await gate(1)).body.toString())
  const began = performance.now()
  const waiting = gate(2, '?wait=60')
  const done = await report(1, {
    state: 'succeeded',
    sequence: 1,
    slot_no: pass.slot_no,
    epoch: pass.epoch,
    facts: { raft: 'leader' },
  })
  t.equal(done.status, 200)
  const answer = await waiting
  t.equal(answer.status, 200, answer.body.toString())
  t.match(JSON.parse(answer.body.toString()), { action: 'join' })
  t.ok(performance.now() - began < 30_000)
})

t.test(
  'a node’s clock is compared when it asks, and is not taken for slow while its long poll waits',
  async (t) => {
    const { world, nodes, gate } = await setUp(t)
    const { bootId, headers } = nodes[1] ?? { bootId: '', headers: { authorization: '' } }
    const asked = { ...headers, 'pilotlight-clock': String(world.store.nowMs()) }
    const waiting = gate(2, '?wait=3', asked)
    const skewMs = () => world.store.lists.attempts.clockSkewMs(bootId)
    while (skewMs() === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    world.passTime(40_000)
    t.equal((await waiting).status, 503)
    t.ok(Math.abs(skewMs() ?? 0) < 1000, `${skewMs()} ms`)
  },
)

t.test('401 without a good report token, 404 for a gate that is not there', async (t) => {
  const { world, nodes, gate } = await setUp(t)
  const refused = await gate(1, '', { authorization: 'Bearer nonsense' })
  t.equal(refused.status, 401)
  t.equal(refused.headers['www-authenticate'], 'Bearer realm="pilotlight"', 'RFC 9110 §15.5.2')
  t.equal((await gate(1, '', nodes[1]?.headers)).status, 401, "another machine's token")
  const unknown = await world.ask(1, '/machines/02-00-00-00-00-01/gates/lunch', {
    headers: nodes[0]?.headers ?? {},
  })
  t.equal(unknown.status, 404)
  t.match(unknown.body.toString(), /chainfire-cluster-join/)
})

t.test('409 for a boot that no longer counts', async (t) => {
  const { world, gate } = await setUp(t)
  world.passTime(11 * 60_000)
  await world.put(
    { kind: 'set-machine-state', machineId: 'm2', state: 'armed' },
    { kind: 'arm-machine', machineId: 'm2', untilMs: world.store.nowMs() + 60_000 },
  )
  const { token } = await world.fetchScript(2)
  await world.redeem(2, token, { nonce: 'ef'.repeat(16) })
  t.equal((await gate(2)).status, 409)
})

t.test('hanging up ends a long poll without an answer and without harm', async (t) => {
  const { world, nodes, gate } = await setUp(t)
  const controller = new AbortController()
  const hung = fetch(`${world.bootUrl}/machines/02-00-00-00-00-02/gates/chainfire-cluster-join?wait=60`, {
    headers: nodes[1]?.headers ?? {},
    signal: controller.signal,
  })
  setTimeout(() => controller.abort(), 100)
  await t.rejects(hung)
  t.equal((await gate(1)).status, 200)
})
