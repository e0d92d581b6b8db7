import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { makeServiceCertificates } from '../../../../src/rack/service-certificates.ts'
import { NineServices } from '../../../support/nine-services.ts'
import { ServerProcess, START_SCRIPT } from '../../../support/server-process.ts'

// The operator's word on a cluster after it was created, by the API and by the command line of a real server.

const SECRET = 'Bearer aXQgaXMgbm90IHRvIGJlIHNlZW4'

interface Shown {
  readonly expected_control_plane: number
  readonly notes: readonly string[]
  readonly settings: Readonly<Record<string, unknown>>
}

interface Event {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

async function setUp(t: Test) {
  const server = await ServerProcess.start(t)
  await server.api('POST', '/clusters', { name: 'prod', expected_control_plane: 3, rearm: 'manual' })
  const cli = (...args: string[]) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const env = { ...process.env, PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: server.token }
      execFile(
        process.execPath,
        [START_SCRIPT, 'cluster', ...args],
        { env, encoding: 'utf8' },
        (error, out, err) =>
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: out + err }),
      )
    })
  const events = async (type: string) =>
    (await server.api<{ items: Event[] }>('GET', '/events?limit=1000')).items.filter(
      (event) => event.type === type,
    )
  return { server, cli, events }
}

t.test(
  'a cluster’s settings change by PATCH and by `cluster set`, each change an audited event',
  { timeout: 120_000 },
  async (t) => {
    const { server, cli, events } = await setUp(t)
    const patch = (body: unknown) => server.ask('PATCH', '/clusters/prod', body)
    const { caPem } = makeServiceCertificates(['127.0.0.1'])
    const first = JSON.parse(
      (
        await patch({
          expected_control_plane: 5,
          rearm: null,
          clock_skew_limit_seconds: 12,
          health_ca: caPem,
        })
      ).body.toString(),
    ) as Shown
    t.equal(first.expected_control_plane, 5)
    t.match(first.settings, {
      rearm: null,
      clock_skew_limit_seconds: 12,
      health_ca_sha256: /^([0-9A-F]{2}:){31}/,
    })
    t.match(await events('cluster.edited'), [
      {
        data: {
          ...{ cluster: 'prod', by: 'admin', expected_control_plane: '3 -> 5', rearm: 'manual -> not set' },
          ...{ clock_skew_limit_ms: 'not set -> 12000', health_ca: 'changed' },
        },
      },
    ])
    t.match(JSON.parse((await patch({ clock_skew_limit_seconds: 12 })).body.toString()), {
      notes: ['nothing has changed: it was set so already'],
    })
    t.equal((await events('cluster.edited')).length, 1, 'and so no event')

    const api = path.join(server.workDir, 'api.yaml')
    writeFileSync(api, 'chainfire: { port: 12379, promote: "/cluster/members/{id}/promote" }\n')
    const set = await cli(
      'set',
      'prod',
      '--services-api',
      api,
      '--rearm',
      'same-identity',
      '--clear',
      'health-ca',
    )
    t.equal(set.code, 0, set.output)
    t.match(set.output, /rearm: not set -> same-identity/)
    t.match(set.output, /without a CA the server asks no service/)
    const shown = await server.api<Shown>('GET', '/clusters/prod')
    t.match(shown.settings, {
      health_ca_sha256: null,
      services_api: { chainfire: { port: 12379, promote: '/cluster/members/{id}/promote' } },
    })
    t.equal((await cli('set', 'prod')).code, 2, 'nothing to set')

    for (const [body, status, code, detail] of [
      [{ name: 'other' }, 409, 'name-fixed', /keeps its name/],
      [{ expected_control_plane: 0 }, 422, 'control-plane-count', /want 1 to 9/],
      [{ health_ca: 'no PEM' }, 422, 'health-ca-malformed', /PEM/],
      [{ extra_config: { bootstrap: true } }, 422, 'reserved-key', /bootstrap/],
      [{ services: { worker: ['flaredb'] } }, 422, 'services-incomplete', /lack chainfire/],
      [{ services_api: { etcd: {} } }, 422, 'services-api-malformed', /etcd is no service/],
      [{ services_api: { chainfire: { port: 0 } } }, 422, 'services-api-malformed', /port is 0, want a port/],
      [{ services_api: { chainfire: { list: 'x y' } } }, 422, 'services-api-malformed', /begins with \//],
      [{ services_api: { chainfire: { health: null } } }, 422, 'services-api-malformed', /health is null/],
      [{ services_api: { chainfire: { promote: '/p' } } }, 422, 'services-api-malformed', /\{id\}/],
      [{ services_api: { chainfire: { vote: '/p' } } }, 422, 'services-api-malformed', /one of the keys/],
      [{ clock_skew_limit_seconds: 0 }, 400, 'malformed-body', /clock_skew_limit_seconds/],
    ] as const) {
      const answer = await patch(body)
      const problem = JSON.parse(answer.body.toString())
      t.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.body}`)
      t.match(problem, status === 400 ? { code } : { code, cure: /\S/ })
      t.match(JSON.stringify(problem), detail)
    }
    t.equal((await server.ask('PATCH', '/clusters/nowhere', {})).status, 404)
    t.equal((await events('cluster.edited')).length, 2, 'a refused change is no event')
  },
)

t.test(
  'a service is asked with its credential, which no answer, event or log repeats',
  { timeout: 120_000 },
  async (t) => {
    const { server, cli, events } = await setUp(t)
    const file = path.join(server.workDir, 'credential')
    writeFileSync(file, `${SECRET}\n`)
    const early = await cli('credential', 'set', 'prod', 'chainfire', '--file', file)
    t.equal(early.code, 1, early.output)
    t.match(early.output, /names no CA/)

    const nine = new NineServices(server.addressOf(1))
    t.teardown(() => nine.close())
    // Not healthy, or it would be a leader that nobody founded; asked it is all the same.
    await nine.start({ chainfire: 'wrong-field' })
    const settings = { health_ca: nine.identity.caPem, services_api: nine.servicesApi }
    t.equal((await server.ask('PATCH', '/clusters/prod', settings)).status, 200)
    const set = await cli('credential', 'set', 'prod', 'chainfire', '--file', file)
    t.equal(set.code, 0, set.output)
    t.equal(
      (await server.ask('PUT', '/clusters/prod/credentials/flaredb', { authorization: 'a\nb' })).status,
      422,
    )
    t.equal(
      (await server.ask('PUT', '/clusters/prod/credentials/etcd', { authorization: SECRET })).status,
      422,
    )

    // A machine of the cluster whose Chainfire is asked: by the check, and by the prober.
    const machine = { name: 'node01', macs: ['52:54:00:88:00:01'], role: 'control-plane', cluster: 'prod' }
    await server.api('POST', '/machines', {
      ...machine,
      address: server.addressOf(1),
      image: await server.importImage(),
    })
    await server.api('POST', '/machines/node01/arm', {})
    const line = await server.fetchCommandLine('52:54:00:88:00:01' as never)
    const token = /pilotlight\.token=(\S+)/.exec(line)?.[1] ?? ''
    t.equal((await server.redeem('52:54:00:88:00:01' as never, token, server.addressOf(1))).status, 200)
    await server.api('GET', '/clusters/prod/check')
    t.ok(nine.authorizations.get('chainfire')?.has(SECRET), 'asked with it')
    t.strictSame([...(nine.authorizations.get('flaredb') ?? [])], [''], 'and nobody else')

    const everything = JSON.stringify([
      await server.api('GET', '/clusters/prod'),
      await server.api('GET', '/events?limit=1000'),
      server.output,
    ])
    t.notOk(everything.includes(SECRET.slice(7)))
    t.match(await server.api('GET', '/clusters/prod'), { settings: { credentials: ['chainfire'] } })
    t.notOk(
      readFileSync(path.join(server.seenDataDir, 'pilotlight.db')).includes(SECRET.slice(7)),
      'sealed on the disk',
    )

    t.equal((await cli('credential', 'drop', 'prod', 'chainfire')).code, 0)
    nine.authorizations.clear()
    await server.api('GET', '/clusters/prod/check')
    t.strictSame([...(nine.authorizations.get('chainfire') ?? [])], [''])
    t.strictSame(
      (await events('cluster.credential')).map(({ data }) => [data.service, data.what, data.by]),
      [
        ['chainfire', 'set', 'admin'],
        ['chainfire', 'dropped', 'admin'],
      ],
    )
  },
)
