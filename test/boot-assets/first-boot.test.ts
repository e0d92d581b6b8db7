import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import t from 'tap'
import { type App, startApp } from '../../src/app.ts'
import type { Config } from '../../src/config/config.ts'
import { DEFAULT_STALL_LIMITS } from '../../src/policy/diagnosis/limits.ts'
import { DEFAULT_EVENT_RETENTION } from '../../src/policy/event-retention.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../src/policy/image/preflight.ts'
import { makeServiceCertificates } from '../../src/rack/service-certificates.ts'
import { readBootScript } from '../../src/sim/boot-script.ts'
import { obtainLease } from '../../src/sim/dhcp-lease.ts'
import { exchange } from '../../src/sim/http-exchange.ts'
import { aSubnet, cidr, ip, mac } from '../support/builders.ts'
import { aKernel, anInitrd } from '../support/image-files.ts'
import { FakeServices, NodeWorld } from './support/node-world.ts'

// The real scripts under dash, against the real server, with services over real TLS.

// Loopback addresses of this run alone: another run beside it has its own.
const NET = `127.81.${(process.pid % 250) + 1}`
const PORTS = { chainfire: 12379, flaredb: 12479, iam: 18081 }
const NODES = [
  { name: 'node01', mac: '02:81:03:00:00:01', address: `${NET}.11` },
  { name: 'node02', mac: '02:81:03:00:00:02', address: `${NET}.12` },
] as const
const STEPS: readonly (readonly [string, readonly string[]])[] = [
  ['cluster-join.sh', ['--service', 'chainfire']],
  ['cluster-join.sh', ['--service', 'flaredb']],
  ['iam-initial-setup.sh', []],
  ['cluster-health-check.sh', []],
]

const workDir = await mkdtemp(path.join(os.tmpdir(), 'pilotlight-first-boot-'))
const identity = makeServiceCertificates(NODES.map((node) => node.address))
let app: App
let token = ''
const worlds: NodeWorld[] = []
const services: FakeServices[][] = []

t.before(async () => {
  app = await startApp({
    config: config(),
    log: pino({ level: 'silent' }),
    programDir: new URL('../..', import.meta.url).pathname,
  })
  token = (await import('node:fs')).readFileSync(path.join(workDir, 'data', 'admin.token'), 'utf8').trim()
  await registerAll()
  for (const node of NODES) {
    const own = [new FakeServices(), new FakeServices(), new FakeServices()]
    await Promise.all(
      own.map((service, index) => service.listen(node.address, [Object.values(PORTS)[index] ?? 0], identity)),
    )
    services.push(own)
    const world = await NodeWorld.create(node.address, Object.values(PORTS))
    await world.setCommandLine(await commandLineOf(node))
    worlds.push(world)
  }
  services[0]?.forEach((leader, index) => {
    leader.followers = [services[1]?.[index] as FakeServices]
  })
})

t.teardown(async () => {
  for (const own of services) for (const service of own) service.close()
  for (const world of worlds) await world.destroy()
  await app.stop()
  await rm(workDir, { recursive: true, force: true })
})

t.test('the founder takes its configuration and founds the cluster', async (t) => {
  const [world] = worlds as [NodeWorld]
  const fetched = await world.run('fetch-config.sh')
  t.equal(fetched.code, 0, fetched.output)
  t.match(fetched.output, /node01 of prod, founds the cluster/)
  t.equal(JSON.parse(await world.read('etc/cluster-config.json')).bootstrap, true)
  for (const name of ['etc/cluster-config.json', 'run/report-auth', 'run/boot.env']) {
    t.equal((await stat(path.join(world.directory, name))).mode & 0o777, 0o600, `${name} is for root alone`)
  }
  t.notOk((await readdir(path.join(world.directory, 'run'))).includes('boot-auth'), 'the spent token is gone')
  for (const [script, args] of STEPS) {
    const result = await world.run(script, args)
    t.equal(result.code, 0, `${script} ${args.join(' ')}: ${result.output}`)
  }
  t.equal(await machineState('node01'), 'ready')
  t.equal(services[0]?.[0]?.role, 'leader')
  t.match(await world.read('data/chainfire/.pilotlight-marker'), /^[0-9a-f-]{36}:1:node01\.1$/)
})

t.test('the next machine joins the leader of the founder', async (t) => {
  const world = worlds[1] as NodeWorld
  t.equal((await world.run('fetch-config.sh')).code, 0)
  t.equal(JSON.parse(await world.read('etc/cluster-config.json')).bootstrap, false)
  for (const [script, args] of STEPS) {
    const result = await world.run(script, args)
    t.equal(result.code, 0, `${script} ${args.join(' ')}: ${result.output}`)
  }
  t.equal(await machineState('node02'), 'ready')
  t.strictSame(
    services[0]?.[0]?.members.map((member) => member.id),
    ['node01.1', 'node02.1'],
  )
  t.notOk(services[1]?.[0]?.calls.includes('POST /cluster/bootstrap'), 'a joiner founds nothing')
  t.equal(services[1]?.[2]?.hasAdmin, false, 'IAM is set up once per cluster')
})

t.test('a second run of every step is harmless', async (t) => {
  const world = worlds[1] as NodeWorld
  const before = services[0]?.[0]?.members.length
  for (const [script, args] of STEPS) {
    const result = await world.run(script, args)
    t.equal(result.code, 0, `${script} ${args.join(' ')}: ${result.output}`)
  }
  t.equal(services[0]?.[0]?.members.length, before)
  t.equal(await machineState('node02'), 'ready')
})

t.test('no token and no password was ever an argument', async (t) => {
  const password = JSON.parse(services[0]?.[2]?.bodies.at(-1) ?? '{}').admin_password
  t.ok(password.length >= 32, 'IAM got a password of its own')
  for (const world of worlds) {
    const config = JSON.parse(await world.read('etc/cluster-config.json'))
    const bootToken = /pilotlight\.token=(\S+)/.exec(await world.read('cmdline'))?.[1] ?? 'none'
    const argv = await world.read('argv.log')
    for (const secret of [config.provisioning.report_token, bootToken, password]) {
      t.notOk(argv.includes(secret), 'not in an argument')
    }
    t.ok(argv.includes('-H @'), 'tokens go by file')
  }
})

t.test('a service that never gets healthy fails the step, and the report says what was wrong', async (t) => {
  const world = worlds[0] as NodeWorld
  const chainfire = services[0]?.[0] as FakeServices
  chainfire.health = { status: 'starting' }
  const result = await world.run('cluster-health-check.sh', [], { PILOTLIGHT_HEALTH_SECONDS: '1' })
  chainfire.health = { status: 'healthy' }
  t.equal(result.code, 1)
  t.match(
    result.output,
    /cluster-health-check failed chainfire: wrong-field: status is "starting", want healthy/,
    'and says of the others nothing',
  )
})

t.test('a token that was used is refused, and the script gives up after ten tries', async (t) => {
  const world = await NodeWorld.create(NODES[0].address, [])
  t.teardown(() => world.destroy())
  await world.setCommandLine(await (worlds[0] as NodeWorld).read('cmdline'))
  await world.hurry()
  const result = await world.run('fetch-config.sh')
  t.equal(result.code, 1)
  t.match(result.output, /refused 10 times; arm the machine again/)
})

async function api<Answer>(method: 'GET' | 'POST', route: string, body?: unknown): Promise<Answer> {
  const answer = await exchange({
    method,
    url: `${app.apiUrl}/api/v1${route}`,
    headers: { authorization: `Bearer ${token}` },
    body,
  })
  if (answer.status >= 300) throw new Error(`${method} ${route}: ${answer.status} ${answer.body}`)
  return JSON.parse(answer.body.toString()) as Answer
}

async function machineState(name: string): Promise<string> {
  return (await api<{ state: string }>('GET', `/machines/${name}`)).state
}

async function registerAll(): Promise<void> {
  const directory = path.join(workDir, 'image')
  await (await import('node:fs/promises')).mkdir(directory)
  await writeFile(path.join(directory, 'bzImage'), aKernel())
  await writeFile(path.join(directory, 'initrd'), anInitrd(1000))
  await writeFile(
    path.join(directory, 'netboot.ipxe'),
    '#!ipxe\nkernel bzImage init=/init initrd=initrd\ninitrd initrd\nboot\n',
  )
  const image = await api<{ id: string }>('POST', '/images', { path: directory, name: 'test' })
  const services_api = Object.fromEntries(Object.entries(PORTS).map(([name, port]) => [name, { port }]))
  await api('POST', '/clusters', {
    name: 'prod',
    expected_control_plane: 2,
    state_kind: 'ephemeral',
    health_ca: identity.caPem,
    services_api,
  })
  for (const node of NODES) {
    await api('POST', '/machines', {
      name: node.name,
      macs: [node.mac],
      role: 'control-plane',
      cluster: 'prod',
      image: image.id,
      address: node.address,
    })
  }
  await api('POST', '/clusters/prod/arm')
}

/** Boots a machine up to the kernel, as its firmware and loader would, and gives the kernel's command line. */
async function commandLineOf(node: (typeof NODES)[number]): Promise<string> {
  const uuid = '81818181-0000-4000-8000-000000000001'
  const server = { address: ip(`${NET}.1`), port: config().dhcp.port }
  const lease = await obtainLease({
    mac: mac(node.mac),
    uuid,
    personality: 'ipxe-bios',
    server,
    relayAddress: ip(`${NET}.2`),
    timeoutMs: 5000,
  })
  let url = lease.bootFile
  for (;;) {
    const answer = await exchange({ url, localAddress: lease.address })
    const action = readBootScript(answer.body.toString(), url, { uuid })
    if (action.kind === 'boot') return action.cmdline
    if (action.kind !== 'chain') throw new Error(`parked: ${JSON.stringify(action)}`)
    url = action.url
  }
}

function config(): Config {
  return {
    dataDir: path.join(workDir, 'data'),
    serverAddress: ip(`${NET}.1`),
    dhcp: { mode: 'authoritative', port: 16813, proxyPort: 16814, proxyUefi: 'binl' },
    subnets: [
      aSubnet({ cidr: cidr(`${NET}.0/24`), pool: { first: ip(`${NET}.100`), last: ip(`${NET}.199`) } }),
    ],
    unknownMachines: 'ignore',
    tftp: { enabled: false, port: 16815 },
    boot: { port: 18813 },
    images: { maxSetMib: 100, limits: DEFAULT_IMAGE_LIMITS },
    api: { host: `${NET}.1`, port: 18814 },
    stall: DEFAULT_STALL_LIMITS,
    events: DEFAULT_EVENT_RETENTION,
    log: { level: 'silent', format: 'json' },
    assetsDir: path.join(workDir, 'no-loaders'),
  }
}
