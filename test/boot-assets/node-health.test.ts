import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { SERVICES } from '../../src/model/services.ts'
import { type Behaviour, NineServices } from '../support/nine-services.ts'
import { NodeWorld } from './support/node-world.ts'

// The node's own check of all nine services, over real TLS and real DNS.

const ADDRESS = `127.82.${(process.pid % 250) + 1}.11`
const NAMES = SERVICES.map(({ name }) => name)

async function node(t: Test, nine: NineServices) {
  const world = await NodeWorld.create(ADDRESS, [...nine.ports.values(), nine.dnsPort])
  t.teardown(async () => {
    nine.close()
    await world.destroy()
  })
  const settings = SERVICES.map(({ name, healthPath }) => [
    [`PORT_${name}`, nine.ports.get(name) ?? 0],
    [`HEALTH_${name}`, healthPath],
  ])
  const ca = path.join(world.directory, 'ca.pem')
  await writeFile(ca, nine.identity.caPem)
  await world.setBoot({
    BOOT_ID: 'b1',
    REPORT_URL: 'http://127.0.0.1:9/reports',
    GATE_URL: 'http://127.0.0.1:9/gates',
    SERVICES: NAMES.join(' '),
    PEERS: '',
    HEALTH_CA: ca,
    DNS_PORT_flashdns: nine.dnsPort,
    ...Object.fromEntries(settings.flat()),
  })
  return world
}

const TELL = `for s in $SERVICES; do health_of "$s" || true; echo "$s=$health_word|$health_why"; done`

async function words(world: NodeWorld): Promise<Record<string, string>> {
  const { output } = await world.story(`ASK_SECONDS=2\n${TELL}`)
  const lines = output.split('\n').filter((line) => line.includes('='))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

t.test('all nine are healthy when they answer as the catalogue says', { timeout: 60_000 }, async (t) => {
  const nine = new NineServices(ADDRESS)
  await nine.start({})
  const said = await words(await node(t, nine))
  for (const name of NAMES) t.match(said[name], /^healthy\|/, `${name}: ${said[name]}`)
})

t.test('each way of being ill is told apart', { timeout: 60_000 }, async (t) => {
  const ills: Partial<Record<(typeof NAMES)[number], Behaviour>> = {
    chainfire: 'wrong-field',
    flaredb: 'status',
    iam: 'timeout',
    plasmavmc: 'refused',
    prismnet: 'bad-certificate',
    fiberlb: 'not-json',
    lightningstor: 'no-tls',
    k8shost: 'wrong-field',
  }
  const nine = new NineServices(ADDRESS)
  await nine.start(ills, 'wrong')
  const said = await words(await node(t, nine))
  t.match(said.chainfire, /^wrong-field\|status is "starting", want healthy/)
  t.match(said.flaredb, /^status\|status 500/)
  t.match(said.iam, /^timeout\|/)
  t.match(said.plasmavmc, /^refused\|/)
  t.match(said.prismnet, /^bad-certificate\|/)
  t.match(said.flashdns, /^wrong-answer\|/)
  t.match(said.fiberlb, /^not-json\|/)
  t.match(said.lightningstor, /^no-tls\|/)
  t.match(said.k8shost, /^wrong-body\|want ok/)
})

t.test(
  'on port 853 HTTPS and DNS over TLS are told apart, and either will do',
  { timeout: 60_000 },
  async (t) => {
    const nine = new NineServices(ADDRESS)
    await nine.start({ flashdns: 'dns-over-tls' })
    t.match((await words(await node(t, nine))).flashdns, /^healthy\|.*DNS over TLS/)
  },
)

t.test('a field of another type is wrong, and so is one that is missing', { timeout: 60_000 }, async (t) => {
  const nine = new NineServices(ADDRESS)
  await nine.start({})
  const world = await node(t, nine)
  const judged = async (service: string, body: string) => {
    await writeFile(path.join(world.directory, 'run', `health.${service}`), body)
    const story = `: >"$VERDICTS"\njudge ${service}\nsed 's/ /|/2;s/^[a-z0-9]* //' "$VERDICTS"`
    return (await world.story(story)).output
  }
  t.match(
    await judged('plasmavmc', '{"status":"healthy","vms_running":"42"}'),
    /^wrong-field\|vms_running is "42"/,
  )
  t.match(await judged('lightningstor', '{"status":"healthy","volumes":1}'), /^wrong-field\|total_gb is null/)
  t.match(
    await judged('chainfire', '{"status":"healthy","raft":"candidate","cluster_size":1.5}'),
    /raft is.*cluster_size is/,
  )
  t.match(await judged('iam', '[1]'), /^not-json/)
  t.match(await judged('k8shost', ' ok\n'), /^healthy/)
})
