import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

const CALLS = ['arm', 'reprovision', 'hold', 'decommission']
const TAKES_A_BODY = new Set(['POST', 'PUT', 'PATCH'])
const FILES = { kernel: '/k', initrd: '/i', init: '/init' }

/** Every route whose body has a schema, with a body that the schema takes. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /api/v1/machines': { name: 'node09' },
  'PATCH /api/v1/machines/:ref': { name: 'node09' },
  ...Object.fromEntries(CALLS.map((call) => [`POST /api/v1/machines/:ref/${call}`, {}])),
  'PUT /api/v1/machines/:ref/files': { path: 'a', content_base64: '' },
  'POST /api/v1/clusters': { name: 'hall', expected_control_plane: 1 },
  'PATCH /api/v1/clusters/:name': {},
  'PUT /api/v1/clusters/:name/credentials/:service': { authorization: 'Bearer x' },
  'POST /api/v1/clusters/:name/arm': {},
  'POST /api/v1/clusters/:name/founding/move': { to: 'node01' },
  'POST /api/v1/clusters/:name/refound': { machine: 'node01' },
  'POST /api/v1/clusters/:name/unfreeze': { as: 'open' },
  'POST /api/v1/clusters/:name/members/:member/forget': {},
  'POST /api/v1/clusters/:name/hold': {},
  'POST /api/v1/fleet/hold': {},
  'POST /api/v1/fleet/release': {},
  'POST /api/v1/images': { name: 'base' },
  'POST /api/v1/image-names/:name/promote': { version: '1' },
  'POST /api/v1/simulate': {},
}

/** Routes that read no body of JSON: what is sent to them says nothing. */
const WITHOUT_A_BODY = [
  ...['clusters/:name/iam-password', 'clusters/:name/release', 'clusters/:name/slots/:step/free'],
  ...[
    'image-names/:name/rollback',
    'images/:ref/retire',
    'images/:ref/verify',
    'images/gc',
    'images/uploads',
  ],
  'machines/:ref/release',
].map((url) => `POST /api/v1/${url}`)

async function setUp(t: Test) {
  const routes: string[] = []
  const apiRoutes: string[] = []
  // Fastify tells of every server that is made; this one's routes are noted as they are added.
  const note = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url, schema }) => {
      if (method !== 'HEAD' && url.startsWith('/api/v1/')) apiRoutes.push(`${method} ${url}`)
      if (schema?.body !== undefined || TAKES_A_BODY.has(String(method))) routes.push(`${method} ${url}`)
    })
  }
  subscribe('fastify.initialization', note)
  t.teardown(() => unsubscribe('fastify.initialization', note))
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveOperator([])
  const token = readFileSync(path.join(world.directory, 'data', 'admin.token'), 'utf8').trim()
  const send = async (route: string, query: string, body: object | undefined) => {
    const [method = '', url = ''] = route.split(' ')
    const where = `http://${world.address}:8090${url.replaceAll(/:[a-z]+/g, 'nothing')}?${query}`
    const response = await fetch(where, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const said = (isJson ? await response.json() : {}) as { readonly code?: string; readonly detail?: string }
    return { status: response.status, body: said }
  }
  const call = (route: string, body: object) => send(route, '', body)
  const ask = (route: string, query: string) => send(route, query, BODIES[route])
  return { world, routes, apiRoutes, call, ask }
}

t.test('a field that no route reads is refused by every route that takes a body, and named', async (t) => {
  const { routes, call } = await setUp(t)
  t.strictSame(
    [...Object.keys(BODIES), ...WITHOUT_A_BODY].sort(),
    routes.sort(),
    'the tables have every route',
  )
  for (const [route, body] of Object.entries(BODIES)) {
    const answer = await call(route, { ...body, misspelt: true })
    t.match(
      answer,
      {
        status: 400,
        body: {
          type: 'urn:pilotlight:problem:field-unknown',
          code: 'field-unknown',
          detail: /^the body holds "misspelt", want only [a-z_]+/,
          cure: /leave it out/,
          field: 'misspelt',
        },
      },
      route,
    )
    for (const field of Object.keys(body)) t.ok(answer.body.detail?.includes(field), `${route} says ${field}`)
    const without = await call(route, body)
    t.not(without.body.code, 'field-unknown', `${route} without it`)
  }
})

t.test('a field inside another is named by its path', async (t) => {
  const { call } = await setUp(t)
  const cases: readonly (readonly [route: string, body: object, field: string, known: string])[] = [
    [
      'POST /api/v1/images',
      { name: 'base', files: { ...FILES, sqashfs: '/s' } },
      'files.sqashfs',
      'kernel, initrd, squashfs, init, parameters',
    ],
    [
      'PATCH /api/v1/clusters/:name',
      { role_config: { workers: {} } },
      'role_config.workers',
      'control-plane, worker, all-in-one',
    ],
  ]
  for (const [route, body, field, known] of cases) {
    t.match(await call(route, body), { status: 400, body: { field, detail: known } }, field)
  }
})

t.test('what is refused changes nothing', async (t) => {
  const { world, call } = await setUp(t)
  const before = world.store.lists.machines.list('', 10)
  t.match(await call('PATCH /api/v1/machines/node01', { role: 'worker', clustre: 'hall' }), { status: 400 })
  t.strictSame(world.store.lists.machines.list('', 10), before)
})

/** Routes that read a query, with one that they take. */
const QUERIES: Readonly<Record<string, string>> = {
  'GET /api/v1/clusters': 'after=a&limit=1',
  'GET /api/v1/events': 'after=1&limit=1',
  'GET /api/v1/images': 'after=a&limit=1',
  'GET /api/v1/leases': 'after=a&limit=1',
  'GET /api/v1/machines': 'after=a&limit=1',
  'GET /api/v1/machines/:ref/packets': 'format=pcap',
  'GET /api/v1/services/graph': 'format=dot&cluster=hall',
  'DELETE /api/v1/machines/:ref/files': 'path=etc/motd',
  'POST /api/v1/images/gc': 'dry_run=true',
  'POST /api/v1/images/uploads': 'name=a&version=1&promote=true&script=a.ipxe',
}

t.test('a query parameter that no route reads is refused by every route, and named', async (t) => {
  const { apiRoutes, ask } = await setUp(t)
  t.ok(apiRoutes.length > 50, `${apiRoutes.length} routes`)
  for (const route of apiRoutes) {
    const query = QUERIES[route]
    const known = [...new URLSearchParams(query).keys()].join(', ')
    const answer = await ask(route, `${query ?? ''}&misspelt=true`)
    const detail = `the query holds "misspelt", want ${query === undefined ? 'none there' : `only ${known}`}`
    t.match(answer, { status: 400, body: { code: 'field-unknown', detail, field: 'misspelt' } }, route)
    if (query !== undefined) t.not((await ask(route, query)).body.code, 'field-unknown', `${route}?${query}`)
  }
  t.strictSame(
    Object.keys(QUERIES).filter((route) => !apiRoutes.includes(route)),
    [],
  )
})

t.test('a collection that is asked for in other words than true or false does not happen', async (t) => {
  const { ask } = await setUp(t)
  const detail = 'dry_run is "yes", want true or false'
  t.match(await ask('POST /api/v1/images/gc', 'dry_run=yes'), { status: 400, body: { detail } })
})
