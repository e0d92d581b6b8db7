import t from 'tap'
import type { Impact, ServiceName, ServicePort } from '../../src/model/service.ts'
import { SERVICE_NAMES } from '../../src/model/service.ts'
import { SERVICES, SERVICES_OF_ROLE, serviceByName, servicesOf } from '../../src/model/services.ts'

// The facts of the cluster's documents, written down once more, row by row, so that a slip in the catalogue shows.

const NOTIFY = 'notify'

/** name, level, type, After, Requires, Wants, ports with uses, data, start seconds. */
const BOXES: readonly (readonly [
  ServiceName,
  number,
  string,
  string,
  string,
  string,
  Readonly<Record<number, string>>,
  string,
  number,
])[] = [
  [
    'chainfire',
    1,
    NOTIFY,
    '',
    '',
    '',
    { 2379: 'API', 2380: 'Raft', 2381: 'Gossip' },
    '/var/lib/chainfire',
    10,
  ],
  ['flaredb', 1, NOTIFY, 'chainfire', 'chainfire', '', { 2479: 'API', 2480: 'Raft' }, '/var/lib/flaredb', 15],
  ['iam', 2, 'simple', 'flaredb', 'flaredb', '', { 8080: 'API' }, '', 5],
  ['plasmavmc', 3, NOTIFY, 'chainfire iam', '', 'chainfire iam', { 9090: 'API' }, '', 10],
  ['prismnet', 3, NOTIFY, 'chainfire iam', '', 'chainfire', { 9091: 'API', 4789: 'VXLAN' }, '', 8],
  ['flashdns', 3, 'forking', 'chainfire', '', 'chainfire', { 53: 'DNS', 853: 'DNS over TLS' }, '', 3],
  ['fiberlb', 3, NOTIFY, 'chainfire iam', '', 'chainfire', { 9092: 'API', 80: 'HTTP', 443: 'HTTPS' }, '', 5],
  [
    'lightningstor',
    3,
    NOTIFY,
    'chainfire flaredb',
    '',
    'chainfire',
    { 9093: 'API', 9094: 'Replication', 3260: 'iSCSI' },
    '',
    12,
  ],
  [
    'k8shost',
    3,
    NOTIFY,
    'chainfire plasmavmc prismnet',
    '',
    'chainfire prismnet',
    { 10250: 'Kubelet', 10256: 'Health' },
    '',
    15,
  ],
]

for (const [name, level, type, after, requires, wants, ports, data, seconds] of BOXES) {
  t.test(`${name} is as its box says`, async (t) => {
    const service = serviceByName(name)
    t.equal(service.level, level)
    t.equal(service.unitType, type)
    t.equal(service.after.join(' '), after)
    t.equal(service.requires.join(' '), requires)
    t.equal(service.wants.join(' '), wants)
    t.strictSame(portsOf(service.ports), ports)
    t.equal(service.dataDirectory ?? '', data)
    t.equal(service.startSeconds, seconds)
    t.ok(service.purpose.length > 10)
  })
}

t.test('there are nine, in start order, and each comes after only earlier ones', async (t) => {
  t.strictSame(
    SERVICES.map(({ name }) => name),
    [...SERVICE_NAMES],
  )
  for (const [index, service] of SERVICES.entries()) {
    const earlier = SERVICES.slice(0, index).map(({ name }) => name)
    for (const other of [...service.after, ...service.requires, ...service.wants])
      t.ok(earlier.includes(other), `${service.name} after ${other}`)
    for (const other of [...service.requires, ...service.wants])
      t.ok(service.after.includes(other), `${service.name} does not start beside ${other}`)
  }
})

t.test('Chainfire, FlareDB and IAM are critical, and nothing else is', async (t) => {
  t.strictSame(
    SERVICES.filter((service) => service.critical !== undefined).map(({ name }) => name),
    ['chainfire', 'flaredb', 'iam'],
  )
})

t.test('what the unit examples state: limits, restarts, network, environment, hardening', async (t) => {
  const [chainfire, flaredb] = [serviceByName('chainfire'), serviceByName('flaredb')]
  t.equal(chainfire.timeoutStartSeconds, 60)
  t.equal(flaredb.timeoutStartSeconds, 90)
  for (const service of SERVICES) t.equal(service.restartSeconds, 10)
  t.strictSame(
    SERVICES.filter((service) => service.needsNetworkOnline).map(({ name }) => name),
    ['chainfire', 'flaredb'],
  )
  t.strictSame(chainfire.extras, {
    environment: { CHAINFIRE_LOG_LEVEL: 'info' },
    environmentFile: '/etc/nixos/secrets/chainfire.env',
    user: 'chainfire',
    stateDirectory: 'chainfire',
    configurationDirectory: 'chainfire',
    hardening: { PrivateTmp: 'true', ProtectSystem: 'strict', ProtectHome: 'true', NoNewPrivileges: 'true' },
  })
  t.match(flaredb.extras.execStartPre, /until curl -k https:\/\/localhost:2379\/health; do sleep 5; done/)
})

t.test(
  'IAM keeps its users, roles and tokens in FlareDB; FlareDB and IAM count from what they wait for',
  async (t) => {
    t.equal(serviceByName('iam').backend, 'flaredb')
    t.equal(serviceByName('flaredb').startsAfter, 'chainfire')
    t.equal(serviceByName('iam').startsAfter, 'flaredb')
  },
)

/** name -> port, path, and field: type or the values that mean health. */
const ENDPOINTS: Readonly<Record<string, readonly [number, string, Readonly<Record<string, string>>]>> = {
  chainfire: [2379, '/health', { status: 'healthy', raft: 'leader|follower', cluster_size: 'integer' }],
  flaredb: [2479, '/health', { status: 'healthy', raft: 'leader|follower', chainfire: 'connected' }],
  iam: [8080, '/health', { status: 'healthy', database: 'connected', version: 'string' }],
  plasmavmc: [9090, '/health', { status: 'healthy', vms_running: 'integer' }],
  prismnet: [9091, '/health', { status: 'healthy', networks: 'integer' }],
  flashdns: [853, '/health', { status: 'healthy' }],
  fiberlb: [9092, '/health', { status: 'healthy', backends: 'integer' }],
  lightningstor: [9093, '/health', { status: 'healthy', volumes: 'integer', total_gb: 'integer' }],
}

t.test(
  'every health endpoint has the fields of the reference, values only where they mean health',
  async (t) => {
    for (const [name, [port, path, fields]] of Object.entries(ENDPOINTS)) {
      const check = serviceByName(name as ServiceName).health.find((candidate) => candidate.kind === 'json')
      t.equal(check?.port, port, name)
      t.equal(check?.path, path, name)
      const rules = Object.entries(check?.fields ?? {}).map(([field, rule]) => [
        field,
        rule.values?.join('|') ?? rule.type,
      ])
      t.strictSame(Object.fromEntries(rules), fields, name)
    }
  },
)

t.test('K8sHost says a plain ok; FlashDNS is asked by DNS and on 853 in two ways', async (t) => {
  t.strictSame(serviceByName('k8shost').health, [{ kind: 'text', port: 10250, path: '/healthz', body: 'ok' }])
  const [dns, both] = serviceByName('flashdns').health
  t.strictSame(dns, { kind: 'dns', port: 53, name: 'health.local', address: '127.0.0.1' })
  t.strictSame(both?.kind === 'json' && both.orDnsOverTls, { name: 'health.local', address: '127.0.0.1' })
})

/** The matrix: severities of the impact (x failure, ~ degraded, v unaffected) and words of each mitigation. */
const MATRIX: Readonly<Record<ServiceName, readonly [string, readonly RegExp[]]>> = {
  chainfire: ['xxx', [/quorum \(3 of 5\)/, /replicated/, /existing VMs run/, /leader is elected/]],
  flaredb: ['xx~', [/quorum \(3 of 5\)/, /tokens are cached/, /new VMs are blocked/, /replicated/]],
  iam: ['x~~', [/cached/, /several instances/, /balanc/]],
  plasmavmc: ['xv~', [/several instances/, /no state/, /restart/]],
  prismnet: ['xv~', [/several instances/, /agents/, /control plane/]],
  flashdns: ['~v~', [/several instances/, /cached/, /fallback/]],
  fiberlb: ['~v~', [/several instances/, /virtual IP/, /health checks/]],
  lightningstor: ['~vx', [/three replicas/, /rebalanced/, /several nodes/]],
  k8shost: ['~v~', [/replicas/, /highly available/, /scheduled anew/]],
}

t.test('the failure impact matrix, line by line', async (t) => {
  for (const [name, [severities, mitigations]] of Object.entries(MATRIX)) {
    const service = serviceByName(name as ServiceName)
    t.equal(service.impact.map(mark).join(''), severities, name)
    t.equal(service.mitigation.length, mitigations.length, name)
    for (const [index, words] of mitigations.entries()) t.match(service.mitigation[index], words, name)
  }
  const said = (name: ServiceName) =>
    serviceByName(name)
      .impact.map(({ what }) => what)
      .join('; ')
  t.match(said('chainfire'), /whole cluster.*lose their configuration.*new VMs cannot start/)
  t.match(said('flaredb'), /metrics.*IAM.*existing VMs go on/)
  t.match(said('lightningstor'), /slower.*replicas.*volumes cannot be created/)
})

t.test('a role runs what its cluster says, else the default, in the order of the catalogue', async (t) => {
  t.strictSame(servicesOf('control-plane', undefined), ['chainfire', 'flaredb', 'iam'])
  t.strictSame(servicesOf('all-in-one', undefined), [...SERVICE_NAMES])
  t.notOk(SERVICES_OF_ROLE.worker.includes('iam'))
  t.equal(SERVICES_OF_ROLE.worker.length, 8)
  t.strictSame(servicesOf('worker', { worker: ['k8shost', 'chainfire'] }), ['chainfire', 'k8shost'])
  t.strictSame(servicesOf('worker', { 'all-in-one': [] }), SERVICES_OF_ROLE.worker)
})

function mark({ severity }: Impact): string {
  return { failure: 'x', degraded: '~', unaffected: 'v' }[severity]
}

function portsOf(ports: readonly ServicePort[]): Readonly<Record<number, string>> {
  return Object.fromEntries(ports.map(({ port, use }) => [port, use]))
}
