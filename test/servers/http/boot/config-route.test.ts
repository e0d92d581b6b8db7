import t, { type Test } from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

async function setUp(t: Test): Promise<BootWorld> {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(2)
  await world.serveBoot()
  return world
}

const OTHER_NONCE = 'cd'.repeat(16)

t.test("a token from the machine's script gets it its configuration, once", async (t) => {
  const world = await setUp(t)
  const { token } = await world.fetchScript(1)
  const answer = await world.redeem(1, token)
  t.equal(answer.status, 200)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.match(answer.headers['content-type'], /^application\/json/)
  const config = JSON.parse(answer.body.toString())
  t.match(config, {
    node_id: 'node01',
    bootstrap: true,
    provisioning: { report_url: `${world.bootUrl}/machines/02-00-00-00-00-01/reports` },
  })
  t.match(world.store.lists.machines.byId('m1'), { state: 'first-boot' })
  t.ok((await world.events()).includes('config.redeemed'))
})

t.test(
  'the same nonce gets the same bytes until the first report: a lost answer bricks nothing',
  async (t) => {
    const world = await setUp(t)
    const { token } = await world.fetchScript(1)
    const first = await world.redeem(1, token)
    const again = await world.redeem(1, token)
    t.equal(again.status, 200)
    t.ok(first.body.equals(again.body))
    const refused = await world.redeem(1, token, { nonce: OTHER_NONCE })
    t.equal(refused.status, 401, 'another nonce')
    t.equal(refused.headers['www-authenticate'], 'Bearer realm="pilotlight"', 'RFC 9110 §15.5.2')

    const { provisioning } = JSON.parse(first.body.toString())
    const reported = await world.ask(1, '/machines/02-00-00-00-00-01/reports', {
      method: 'POST',
      headers: { authorization: `Bearer ${provisioning.report_token}` },
      body: {
        boot_id: provisioning.boot_id,
        reports: [{ step: 'chainfire-cluster-join', state: 'started', sequence: 1 }],
      },
    })
    t.equal(reported.status, 200)
    t.equal((await world.redeem(1, token)).status, 401, 'after the first report nobody gets it any more')
  },
)

t.test('every refusal is the same 401, and an event says which', async (t) => {
  const world = await setUp(t)
  const { token } = await world.fetchScript(1)
  const { token: tokenOf2 } = await world.fetchScript(2)
  const refusals: string[] = []
  const refuse = async (what: string, answer: Promise<{ status: number; body: Buffer }>) => {
    const { status, body } = await answer
    t.equal(status, 401, what)
    refusals.push(body.toString())
  }
  await refuse('unknown', world.redeem(1, 'x'.repeat(43)))
  await refuse("another machine's", world.redeem(1, tokenOf2))
  await refuse('from a foreign address', world.redeem(1, token, { from: 2 }))
  await refuse('none', world.ask(1, '/machines/02-00-00-00-00-01/cluster-config.json'))
  await refuse('no bearer', world.redeem(1, token, { headers: { authorization: `Basic ${token}` } }))
  await refuse(
    'no such machine',
    world.ask(1, '/machines/02-00-00-00-00-77/cluster-config.json', {
      headers: { authorization: `Bearer ${token}`, 'pilotlight-nonce': OTHER_NONCE },
    }),
  )
  t.equal((await world.redeem(1, token)).status, 200, 'none of these spent it')
  await refuse('used', world.redeem(1, token, { nonce: OTHER_NONCE }))
  t.equal(new Set(refusals).size, 1, 'nobody learns which part was wrong')
  t.strictSame(
    (await world.events()).filter((event) => event.startsWith('token.refused')),
    [
      'token.refused unknown-token',
      'token.refused foreign-token',
      'token.refused wrong-address',
      'token.refused unknown-machine',
      'token.refused already-redeemed',
    ],
  )
})

t.test('a token lives for 15 minutes', async (t) => {
  const world = await setUp(t)
  const { token } = await world.fetchScript(1)
  world.passTime(15 * 60_000 - 1)
  t.equal(
    (await world.redeem(1, token, { method: 'HEAD' })).status,
    503,
    'still good, and HEAD does not spend it',
  )
  world.passTime(1)
  t.equal((await world.redeem(1, token)).status, 401)
  t.ok((await world.events()).includes('token.refused expired-token'))
})

t.test(
  'a redeemed token voids the others of its machine; the last three of an attempt are good',
  async (t) => {
    const world = await setUp(t)
    const tokens: string[] = []
    for (let n = 0; n < 4; n += 1) {
      tokens.push((await world.fetchScript(1)).token)
      world.passTime(1000)
    }
    t.equal((await world.redeem(1, tokens[0] ?? '')).status, 401, 'the oldest of four')
    t.equal((await world.redeem(1, tokens[1] ?? '')).status, 200)
    t.equal((await world.redeem(1, tokens[3] ?? '', { nonce: OTHER_NONCE })).status, 401)
  },
)

t.test('HEAD and Range never spend a token', async (t) => {
  const world = await setUp(t)
  const { token } = await world.fetchScript(1)
  t.equal((await world.redeem(1, token, { method: 'HEAD' })).status, 503)
  const ranged = await world.redeem(1, token, { headers: { range: 'bytes=0-10' } })
  t.equal(ranged.status, 503)
  t.ok(Number(ranged.headers['retry-after']) >= 1, 'iPXE takes 0 for "at once"')
  t.match(world.store.lists.machines.byId('m1'), { state: 'booting' })
  t.equal((await world.redeem(1, token)).status, 200)
})

t.test('without a good nonce nothing is redeemed', async (t) => {
  const world = await setUp(t)
  const { token } = await world.fetchScript(1)
  for (const nonce of ['', 'ab', 'zz'.repeat(16), 'ab'.repeat(17)]) {
    t.equal((await world.redeem(1, token, { nonce })).status, 400, JSON.stringify(nonce))
  }
  t.match(world.store.lists.machines.byId('m1'), { state: 'booting' })
})

t.test('while the cluster is being founded by another, a voter waits with its token unspent', async (t) => {
  const world = await setUp(t)
  const first = await world.fetchScript(1)
  const second = await world.fetchScript(2)
  t.match(JSON.parse((await world.redeem(1, first.token)).body.toString()), { bootstrap: true })
  const answer = await world.redeem(2, second.token)
  t.equal(answer.status, 200)
  t.match(JSON.parse(answer.body.toString()), { bootstrap: false })
})

t.test('no log line holds a token or a configuration', async (t) => {
  const world = await setUp(t)
  const { token } = await world.fetchScript(1)
  const config = JSON.parse((await world.redeem(1, token)).body.toString())
  await world.redeem(1, token, { from: 2 })
  const log = JSON.stringify(world.logged)
  t.notMatch(log, token)
  t.notMatch(log, config.provisioning.report_token)
})
