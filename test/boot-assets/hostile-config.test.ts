import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { NodeWorld } from './support/node-world.ts'

// What the server and the command line say is data to the node: nothing of it is ever run.

const HOSTILE = `x'; touch pwned; echo '$(touch pwned)\`touch pwned\`\n"; touch pwned`

const GOOD = {
  schema_version: 1,
  node_id: 'node01',
  cluster_id: 'c1',
  cluster_name: 'prod',
  member_id: 'node01.1',
  bootstrap: false,
  raft_addr: '10.0.0.1:2380',
  services: ['chainfire', 'flaredb'],
  services_api: { chainfire: { port: 2379, health: '/health' }, flaredb: { port: 2479, health: '/health' } },
  provisioning: {
    boot_id: 'b1',
    report_url: 'http://127.0.0.1:9/reports',
    gate_url: 'http://127.0.0.1:9/gates',
    report_token: 'b1.token',
  },
}

/** A server that answers with one configuration; `undefined` in the list of answers is a lost answer. */
async function configServer(t: Test, answers: readonly (object | undefined)[]) {
  const nonces: string[] = []
  const server = http.createServer((request, response) => {
    nonces.push(String(request.headers['pilotlight-nonce']))
    const answer = answers[Math.min(nonces.length, answers.length) - 1]
    if (answer === undefined) return void request.socket.destroy()
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const world = await NodeWorld.create('127.0.0.1', [])
  await world.hurry()
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await world.destroy()
  })
  const { port } = server.address() as AddressInfo
  await world.setCommandLine(
    `quiet pilotlight.url=http://127.0.0.1:${port} pilotlight.mac=02-00-00-00-00-01 pilotlight.token=abc`,
  )
  return { world, nonces }
}

async function nothingRan(t: Test, world: NodeWorld): Promise<void> {
  const names = await readdir(world.directory, { recursive: true })
  t.notOk(
    names.some((name) => name.includes('pwned')),
    'nothing of it was run',
  )
  t.notOk((await readdir('.')).includes('pwned'))
}

t.test('a lost first answer is asked for again with the same nonce', async (t) => {
  const { world, nonces } = await configServer(t, [undefined, GOOD])
  const { code, output } = await world.run('fetch-config.sh')
  t.equal(code, 0, output)
  t.equal(nonces.length, 2)
  t.match(nonces[0], /^[0-9a-f]{32}$/)
  t.equal(nonces[1], nonces[0])
  t.strictSame((await readdir(path.join(world.directory, 'run', 'services'))).sort(), [
    'chainfire',
    'flaredb',
  ])
  const again = await world.run('fetch-config.sh')
  t.equal(again.code, 0)
  t.match(again.output, /was taken already/)
  t.equal(nonces.length, 2, 'a second run asks nobody')
})

t.test('hostile texts where text may stand stay text', async (t) => {
  const hostile = {
    ...GOOD,
    node_id: HOSTILE,
    cluster_id: HOSTILE,
    cluster_name: HOSTILE,
    member_id: HOSTILE,
    keep_data: HOSTILE,
    initial_peers: [HOSTILE, '10.0.0.2:2380'],
    services_api: {
      chainfire: { port: HOSTILE, health: HOSTILE, join: HOSTILE },
      [HOSTILE]: { port: 1, health: '/' },
    },
    provisioning: { ...GOOD.provisioning, boot_id: HOSTILE },
  }
  const { world } = await configServer(t, [hostile])
  const { code, output } = await world.run('fetch-config.sh')
  t.equal(code, 0, output)
  const env = await world.read('run/boot.env')
  t.match(env, /^KEEP_DATA_flaredb='x'\\''; touch pwned/m)
  t.match(env, /^NODE_ID='x'\\''; touch pwned/m)
  t.match(env, /^PORT_chainfire='0'$/m, 'a port is a number')
  t.match(env, /^HEALTH_chainfire=''$/m, 'a path is a path')
  t.match(env, /^PEERS='10\.0\.0\.2'$/m)
  // Reading the variables, and using them, must not run them either. Nobody listens, so the step fails.
  const join = await world.run('check-data.sh', ['--service', 'chainfire'])
  t.equal(join.code, 0, join.output)
  const check = await world.run('cluster-join.sh', ['--service', 'chainfire'], {
    PILOTLIGHT_HEALTH_SECONDS: '0',
  })
  t.equal(check.code, 1, check.output)
  await nothingRan(t, world)
})

t.test('the data to keep is told for each Raft group', async (t) => {
  const config = {
    ...GOOD,
    keep_data: 'node01.2',
    keep_data_by_service: { chainfire: 'node01.2', flaredb: null },
  }
  const { world } = await configServer(t, [config])
  const { code, output } = await world.run('fetch-config.sh')
  t.equal(code, 0, output)
  const env = await world.read('run/boot.env')
  t.match(env, /^KEEP_DATA_chainfire='node01\.2'$/m)
  t.match(env, /^KEEP_DATA_flaredb=''$/m)
})

const REFUSED: readonly (readonly [string, object, RegExp])[] = [
  ['a service whose name is a command', { services: ['chainfire', HOSTILE] }, /knows no service/],
  ['an address with a command in it', { raft_addr: `1.2.3.4$(touch pwned):2380` }, /raft_addr is no address/],
  [
    'an option of curl for a URL',
    { provisioning: { ...GOOD.provisioning, gate_url: '-K/etc/passwd' } },
    /gate_url/,
  ],
  [
    'a file for a URL',
    { provisioning: { ...GOOD.provisioning, report_url: 'file:///etc/shadow' } },
    /report_url/,
  ],
  [
    'a header in a token',
    { provisioning: { ...GOOD.provisioning, report_token: 'a\nHost: b' } },
    /report_token/,
  ],
  ['another schema', { schema_version: 2 }, /schema_version is not 1/],
  ['no services', { services: [] }, /services is no list/],
]

for (const [name, change, complaint] of REFUSED) {
  t.test(`refused: ${name}`, async (t) => {
    const { world } = await configServer(t, [{ ...GOOD, ...change }])
    const { code, output } = await world.run('fetch-config.sh')
    t.equal(code, 1)
    t.match(output, complaint)
    t.notOk((await readdir(path.join(world.directory, 'run'))).includes('boot.env'), 'nothing starts on it')
    await nothingRan(t, world)
  })
}

t.test(
  'a hostile command line is refused or stays text, and a machine that we did not boot is told so',
  async (t) => {
    const world = await NodeWorld.create('127.0.0.1', [])
    await world.hurry()
    t.teardown(() => world.destroy())
    const run = async (cmdline: string) => {
      await world.setCommandLine(cmdline)
      return world.run('fetch-config.sh', [], { PILOTLIGHT_MAX_TRIES: '3' })
    }
    t.match(await run('quiet root=/dev/sda1'), { code: 1, output: /was not booted by Pilotlight/ })
    t.match(await run('pilotlight.url=file:///etc pilotlight.mac=02-00-00-00-00-01'), {
      code: 1,
      output: /no http:\/\/ or https:\/\/ URL/,
    })
    t.match(await run('pilotlight.url=http://127.0.0.1:9 pilotlight.mac=$(touch${IFS}pwned)'), {
      code: 1,
      output: /no MAC address/,
    })
    t.match(
      await run(
        'pilotlight.url=http://127.0.0.1:9/$(touch${IFS}pwned) pilotlight.mac=02-00 pilotlight.token=`id`',
      ),
      {
        code: 1,
        output: /giving up after 3 tries: no answer of use \(status 000\).*boot HTTP port/,
      },
    )
    await nothingRan(t, world)
  },
)

t.test('a gate whose answer is no answer is asked again, and its text is never run', async (t) => {
  const server = http.createServer((request, response) => {
    if (request.url?.startsWith('/gates') !== true) return void response.end('{}')
    asked += 1
    const action = asked === 1 ? HOSTILE : 'found'
    response.end(JSON.stringify({ action, slot_no: 1, epoch: 1, member_id: 'node01.1', leader_url: null }))
  })
  let asked = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const world = await NodeWorld.create('127.0.0.1', [])
  await world.hurry()
  t.teardown(() => world.destroy().then(() => server.close()))
  const url = `http://127.0.0.1:${port}`
  await world.setBoot({ BOOT_ID: 'b1', REPORT_URL: `${url}/reports`, GATE_URL: `${url}/gates` })
  const { code, output } = await world.story('pass_gate chainfire-cluster-join ""\necho "told: $gate_action"')
  t.equal(code, 0, output)
  t.match(output, /told: found/)
  t.equal(asked, 2)
  await nothingRan(t, world)
})
