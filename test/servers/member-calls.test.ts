import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { makeServiceCertificates } from '../../src/rack/service-certificates.ts'
import type { ClusterAccess } from '../../src/servers/cluster-access.ts'
import { askHealth, askList, removeMember } from '../../src/servers/member-calls.ts'
import { aCluster, ip } from '../support/builders.ts'

// What the server asks of a cluster's leader, over real TLS: nothing is believed of who cannot prove that it is the
// cluster's, and nobody keeps the server for longer than three seconds.

const ADDRESS = ip(`127.88.${(process.pid % 250) + 1}.11`)
const OURS = makeServiceCertificates([ADDRESS])
const STRANGER = makeServiceCertificates([ADDRESS])
const HEALTHY = '{"status":"healthy","raft":"leader","cluster_size":3}'
const CREDENTIAL = 'Bearer the-servers-own'

interface Asked {
  readonly call: string
  readonly authorization: string | undefined
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A service of the cluster that answers so; what it was asked is in `asked`. */
async function aService(t: Test, answer: Answer, identity = OURS) {
  const asked: Asked[] = []
  const server = https.createServer({ key: identity.keyPem, cert: identity.certPem }, (request, response) => {
    asked.push({ call: `${request.method} ${request.url}`, authorization: request.headers.authorization })
    answer(request, response)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, access: accessTo(await listening(server)) }
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, ADDRESS)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function accessTo(port: number, more: Readonly<Record<string, string | null>> = {}): ClusterAccess {
  const cluster = aCluster({
    settings: { healthCa: OURS.caPem, servicesApi: { chainfire: { port, ...more } } },
  })
  return { cluster, authorizationFor: () => CREDENTIAL }
}

function says(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_, response) => void response.writeHead(status, headers).end(body)
}

const health = (access: ClusterAccess) => askHealth(access, 'chainfire', 'm1', ADDRESS)
const list = (access: ClusterAccess) => askList(access, 'chainfire', ADDRESS)

t.test(
  'a member is asked with the credential of its service, and believed by the cluster’s CA',
  async (t) => {
    const { access, asked } = await aService(t, says(200, HEALTHY))
    t.strictSame(await health(access), {
      ...{ machineId: 'm1', address: ADDRESS, isHealthy: true, raft: 'leader', clusterSize: 3 },
    })
    t.strictSame(asked, [{ call: 'GET /health', authorization: CREDENTIAL }])
  },
)

t.test('a certificate of another CA: nothing is believed, and nothing was said to it', async (t) => {
  const { access, asked } = await aService(t, says(200, HEALTHY), STRANGER)
  await t.rejects(health(access), { code: /CERT|SIGNATURE|ISSUER/ })
  t.strictSame(await list(access), { kind: 'no-answer' })
  t.match(await removeMember(access, 'chainfire', ADDRESS, 'node03.1'), {
    kind: 'failed',
    detail: /certificate|signature/,
  })
  t.strictSame(asked, [], 'no request, and so no credential, went through that handshake')
})

t.test('without a CA nobody is asked', async (t) => {
  const { access, asked } = await aService(t, says(200, HEALTHY))
  const { cluster } = access
  const { healthCa: _, ...settings } = cluster.settings
  await t.rejects(health({ ...access, cluster: { ...cluster, settings } }), { message: /names no CA/ })
  t.strictSame(asked, [])
})

t.test('a redirect is an answer that is not 200, and is not followed', async (t) => {
  const elsewhere = await aService(t, says(200, HEALTHY))
  const port = elsewhere.access.cluster.settings.servicesApi?.chainfire?.port
  const { access, asked } = await aService(
    t,
    says(302, '', { location: `https://${ADDRESS}:${port}/health` }),
  )
  await t.rejects(health(access), { message: 'status 302' })
  t.strictSame(await list(access), { kind: 'no-answer' })
  t.match(await removeMember(access, 'chainfire', ADDRESS, 'node03.1'), {
    kind: 'failed',
    detail: 'DELETE answered 302',
  })
  t.ok(asked.length > 0)
  t.strictSame(elsewhere.asked, [])
})

t.test(
  'who says nothing, or a byte now and then, is left after three seconds',
  { timeout: 30_000 },
  async (t) => {
    const silent = net.createServer()
    const silentPort = await listening(silent)
    const held = new Set<net.Socket>()
    silent.on('connection', (socket) => void held.add(socket.on('error', () => undefined)))
    t.teardown(() => {
      for (const socket of held) socket.destroy()
      silent.close()
    })
    const mute = await aService(t, () => undefined)
    const drip = await aService(t, (_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write(' '), 200)
      response.once('close', () => clearInterval(timer))
    })
    await Promise.all([
      t.rejects(health(accessTo(silentPort)), { name: /Timeout|Abort/ }, 'no handshake'),
      t.rejects(health(mute.access), { name: /Timeout|Abort/ }, 'no answer'),
      t.rejects(health(drip.access), { name: /Timeout|Abort/ }, 'an answer without end'),
      list(mute.access).then((answer) => t.strictSame(answer, { kind: 'no-answer' })),
    ])
  },
)

t.test('404 and 405 on the list mean that there is none; what is no list says nothing', async (t) => {
  for (const status of [404, 405]) {
    const { access } = await aService(t, says(status, '{}'))
    t.strictSame(await list(access), { kind: 'not-there' }, String(status))
  }
  const tooMany = JSON.stringify({ members: Array.from({ length: 1001 }, (_, n) => ({ id: `n${n}.1` })) })
  for (const [status, body] of [
    [500, '{"members":[]}'],
    [200, 'not json'],
    [200, '[]'],
    [200, '{"members":{}}'],
    [200, '{"members":[{"name":"without an id"}]}'],
    [200, `{"members":[{"id":"${'x'.repeat(101)}"}]}`],
    [200, tooMany],
  ] as const) {
    const { access } = await aService(t, says(status, body))
    t.strictSame(await list(access), { kind: 'no-answer' }, `${status} ${body.slice(0, 40)}`)
  }
  const { access } = await aService(
    t,
    says(200, '{"members":[{"id":"node01.1","voter":false},{"id":"node02.1"}]}'),
  )
  t.strictSame(await list(access), {
    kind: 'members',
    members: [
      { id: 'node01.1', voter: false },
      { id: 'node02.1', voter: true },
    ],
  })
})

t.test('a body that is too long is cut off', async (t) => {
  let sent = 0
  const { access } = await aService(t, (_, response) => {
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && sent < 64 * 1024 * 1024) {
        sent += 65_536
        if (!response.write(' '.repeat(65_536))) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  })
  await t.rejects(health(access), { message: 'the answer is too long' })
  t.ok(sent < 16 * 1024 * 1024, `${sent} bytes were sent before it was cut off`)
})

t.test(
  'a removal: what is not listed is not asked for, and what the list still names is not removed',
  async (t) => {
    const members = (...ids: string[]) => JSON.stringify({ members: ids.map((id) => ({ id })) })
    /** Answers lists in turn, the last one for ever, and DELETE with a status. */
    const leader = (status: number, ...lists: string[]): Answer => {
      let turn = 0
      return (request, response) => {
        if (request.method === 'DELETE') return void response.writeHead(status).end()
        response.end(lists[Math.min(turn, lists.length - 1)])
        turn += 1
      }
    }
    for (const [status, lists, result, calls] of [
      [204, [members('a.1', 'b/1'), members('a.1')], { kind: 'gone', listedStill: false }, 3],
      [404, [members('a.1', 'b/1'), members('a.1')], { kind: 'gone', listedStill: false }, 3],
      [200, [members('a.1', 'b/1')], { kind: 'gone', listedStill: true }, 3],
      [500, [members('a.1', 'b/1')], { kind: 'failed', detail: 'DELETE answered 500' }, 2],
      [204, [members('a.1')], { kind: 'gone', listedStill: false }, 2],
      [204, ['no list'], { kind: 'gone', listedStill: undefined }, 3],
    ] as const) {
      const { access, asked } = await aService(t, leader(status, ...lists))
      t.strictSame(await removeMember(access, 'chainfire', ADDRESS, 'b/1'), result, `${status} ${lists}`)
      t.equal(asked.length, calls)
      t.ok(asked.every(({ authorization }) => authorization === CREDENTIAL))
      const deletes = asked.filter(({ call }) => call.startsWith('DELETE')).map(({ call }) => call)
      t.ok(
        deletes.every((call) => call === 'DELETE /cluster/members/b%2F1'),
        'an id is one part of the path',
      )
    }
    const { access, asked } = await aService(t, says(204, ''))
    const port = Number(access.cluster.settings.servicesApi?.chainfire?.port)
    t.match(
      await removeMember(accessTo(port, { remove: null }), 'chainfire', ADDRESS, 'b.1'),
      { kind: 'failed', detail: 'the cluster has no call that removes a member' },
      'null says that there is no such call, whatever a join is asked by',
    )
    t.strictSame(asked, [])
    t.match(await removeMember(accessTo(1, { remove: null, join: null }), 'chainfire', ADDRESS, 'b.1'), {
      kind: 'failed',
      detail: 'the cluster has no call that removes a member',
    })
  },
)
