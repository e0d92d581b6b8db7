import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { NineServices } from '../support/nine-services.ts'
import { FIRST_BOOT, NodeWorld } from './support/node-world.ts'

// cluster-join.sh and what the gate may tell it, with a gate that says what the story needs.

const ADDRESS = `127.84.${(process.pid % 250) + 1}.11`

interface Report {
  readonly step: string
  readonly state: string
  readonly reason: string
}

async function story(t: Test, gates: readonly object[], settings: Readonly<Record<string, string>> = {}) {
  const asked: string[] = []
  const reports: Report[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.url?.startsWith('/reports') === true) {
        reports.push(...JSON.parse(Buffer.concat(chunks).toString()).reports)
        return void response.end('{}')
      }
      asked.push(new URL(request.url ?? '/', 'http://x').searchParams.get('data') ?? '')
      response.end(JSON.stringify(gates[Math.min(asked.length, gates.length) - 1]))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const nine = new NineServices(ADDRESS)
  await nine.start({})
  const world = await NodeWorld.create(ADDRESS, [nine.ports.get('chainfire') ?? 0])
  await writeFile(
    path.join(world.directory, '.curlrc'),
    `resolve = "localhost:${nine.ports.get('chainfire')}:${ADDRESS}"\n`,
  )
  await world.hurry()
  const ca = path.join(world.directory, 'ca.pem')
  await writeFile(ca, nine.identity.caPem)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await world.setBoot({
    ...{ BOOT_ID: 'b1', REPORT_URL: `${url}/reports`, GATE_URL: `${url}/gates`, HEALTH_CA: ca },
    ...{
      CLUSTER_ID: 'c1',
      NODE_ID: 'node01',
      MEMBER_ID: 'node01.2',
      KEEP_DATA_chainfire: 'node01.1',
      EPOCH: 1,
    },
    ...{ RAFT_HOST: ADDRESS, SERVICES: 'chainfire', PORT_chainfire: nine.ports.get('chainfire') ?? 0 },
    HEALTH_chainfire: '/health',
    ...settings,
  })
  t.teardown(async () => {
    server.close()
    nine.close()
    await world.destroy()
  })
  const run = () => world.run('cluster-join.sh', ['--service', 'chainfire'], { PILOTLIGHT_MAX_TRIES: '3' })
  return { world, run, reports, asked, identity: nine.identity }
}

const FOUND = { action: 'found', slot_no: 4, epoch: 1, member_id: 'node01.2', leader_url: null, voter: true }

t.test('an endpoint that is not there fails the step at once, and says which', async (t) => {
  const { run, reports } = await story(t, [FOUND], { FOUND_chainfire: '/not/there' })
  const { code, output } = await run()
  t.equal(code, 1, output)
  const failed = reports.filter(({ state }) => state === 'failed')
  t.equal(failed.length, 1)
  t.match(failed[0], {
    reason: /^endpoint-not-found: https:\/\/localhost:\d+\/not\/there answered 404/,
    slot_no: 4,
  })
  t.notOk(
    reports.some(({ state }) => state === 'progress'),
    'no second try',
  )
})

t.test('without a join endpoint nothing was sent, so that the slot goes to the next', async (t) => {
  const join = { ...FOUND, action: 'join', leader_url: 'https://10.0.0.9:2379' }
  const { run, reports } = await story(t, [join])
  t.equal((await run()).code, 1)
  t.match(reports.at(-1), { state: 'failed', reason: /^nothing was sent: endpoint-not-found/ })
})

t.test(
  'a leader that does not answer is tried again with back-off, the gate asked each time, and then it fails',
  async (t) => {
    const join = { ...FOUND, action: 'join', leader_url: 'https://127.0.0.1:9' }
    const { run, reports, asked } = await story(t, [join], { JOIN_chainfire: '/members' })
    t.equal((await run()).code, 1)
    t.equal(asked.length, 3)
    t.equal(reports.filter(({ state }) => state === 'progress').length, 2)
    t.match(reports.at(-1), { state: 'failed', reason: /answered 000 3 times/ })
    t.equal(asked[2], 'c1:1:node01.2', 'the marker is there before anything is sent')
  },
)

t.test('founding without an endpoint is the service’s own start; a second run says the same', async (t) => {
  const { run, reports, world } = await story(t, [FOUND])
  t.equal((await run()).code, 0)
  t.equal((await run()).code, 0)
  t.strictSame(
    reports.map(({ state }) => state),
    ['started', 'succeeded', 'started', 'succeeded'],
  )
  t.equal(await world.read('data/chainfire/.pilotlight-marker'), 'c1:1:node01.2')
})

t.test(
  'set-aside: the data of a removed member goes aside, the service starts again, the gate is asked anew',
  async (t) => {
    const setAside = { ...FOUND, action: 'set-aside', slot_no: 0 }
    const { run, reports, asked, world } = await story(t, [setAside, FOUND])
    const data = path.join(world.directory, 'data', 'chainfire')
    await mkdir(data, { recursive: true })
    await writeFile(path.join(data, 'raft.db'), 'removed')
    await writeFile(path.join(data, '.pilotlight-marker'), 'c1:1:node01.1')
    await world.setProgram(
      'systemctl',
      `echo "$*" >>'${world.directory}/systemctl.log'\nexec dash ${FIRST_BOOT}/check-data.sh --service chainfire`,
    )
    const { code, output } = await run()
    t.equal(code, 0, output)
    t.equal(await world.read('systemctl.log'), 'restart --no-block chainfire.service\n')
    t.equal(await world.read('data/chainfire.set-aside/1/raft.db'), 'removed')
    t.strictSame(asked, ['c1:1:node01.1', ''], 'then as one without data')
    t.strictSame(
      reports.map(({ state }) => state),
      ['started', 'progress', 'succeeded'],
    )
  },
)

/** A leader at the story's address: it answers a call, and its body, with a status. */
async function aLeader(
  t: Test,
  { keyPem, certPem }: NineServices['identity'],
  statusOf: (call: string, body: string) => number,
): Promise<string> {
  const server = https.createServer({ key: keyPem, cert: certPem }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const status = statusOf(`${request.method} ${request.url}`, Buffer.concat(chunks).toString())
      response.writeHead(status).end()
    })
  })
  server.listen(0, ADDRESS)
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://${ADDRESS}:${(server.address() as AddressInfo).port}`
}

const WITH_PROMOTION = { JOIN_chainfire: '/members', PROMOTE_chainfire: '/members/{id}/promote' }

t.test(
  'learner first: a voter joins without a vote and is promoted when it is a healthy member, which 409 does not mean',
  async (t) => {
    const asked: string[] = []
    const join = { ...FOUND, action: 'join', leader_url: 'filled in below' }
    const { run, reports, identity } = await story(t, [join], WITH_PROMOTION)
    join.leader_url = await aLeader(t, identity, (call, body) => {
      asked.push(`${call} ${body}`)
      if (call === 'POST /members') return 201
      return asked.length === 2 ? 409 : 204
    })
    const { code, output } = await run()
    t.equal(code, 0, output)
    t.match(asked, [
      /^POST \/members .*"id": "node01\.2".*"voter": false/,
      /^POST \/members\/node01\.2\/promote /,
      /^POST \/members\/node01\.2\/promote /,
    ])
    t.equal(asked.length, 3, 'asked again after 409, and then no more')
    t.match(reports.at(-1), { state: 'succeeded' })
  },
)

t.test('a worker joins without a vote and is not promoted', async (t) => {
  const asked: string[] = []
  const worker = { ...FOUND, action: 'join', voter: false, slot_no: 0, leader_url: 'filled in below' }
  const { run, identity } = await story(t, [worker], WITH_PROMOTION)
  worker.leader_url = await aLeader(t, identity, (call) => {
    asked.push(call)
    return 201
  })
  t.equal((await run()).code, 0)
  t.strictSame(asked, ['POST /members'])
})
