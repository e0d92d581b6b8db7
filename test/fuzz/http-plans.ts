import { otherJson } from './http-mutations.ts'
import { NUMBERS, RANGES } from './http-words.ts'
import { type HttpFuzzWorld, machinePath } from './http-world.ts'
import type { SeededRandom } from './random.ts'
import type { Header, Plan } from './raw-request.ts'

/** What machines and operators ask, before anything is changed in it. */
export const PLANS: readonly ((random: SeededRandom, facts: HttpFuzzWorld) => Plan)[] = [
  (random, facts) => boot(facts, 'GET', random.pick(facts.filePaths)),
  (random, facts) =>
    boot(facts, random.pick(['GET', 'HEAD']), random.pick(facts.filePaths), [['Range', random.pick(RANGES)]]),
  (random, facts) => boot(facts, 'GET', facts.world.scriptPath(1 + random.below(2))),
  (random, facts) =>
    boot(facts, 'GET', random.pick(['/boot.ipxe', '/boot/02-00-00-00-00-01.ipxe', '/first-boot/lib.sh'])),
  (random, facts) =>
    boot(
      facts,
      'GET',
      `/beacon/02-00-00-00-00-01/${random.pick(BEACONS)}?bytes=${random.pick(NUMBERS)}&why=busy`,
    ),
  (random, facts) =>
    boot(facts, 'GET', `${machinePath(facts, 1 + random.below(2))}/cluster-config.json`, [
      ['Authorization', `Bearer ${facts.bootToken}`],
      ['Pilotlight-Nonce', random.pick(['ab'.repeat(16), 'cd'.repeat(16), 'short', 'AB'.repeat(16)])],
      ['Pilotlight-Clock', random.pick(NUMBERS)],
    ]),
  (random, facts) =>
    boot(
      facts,
      'GET',
      `${machinePath(facts, 1)}/gates/${random.pick(STEPS)}?wait=0&data=${random.pick(['', 'x', 'c1:1:node01.1'])}`,
      [['Authorization', `Bearer ${facts.reportToken}`]],
    ),
  (_random, facts) => boot(facts, 'GET', `${machinePath(facts, 1)}/files/${'a'.repeat(64)}.cpio.gz`),
  (random, facts) => {
    const report = {
      step: random.pick(STEPS),
      sequence: 1 + random.below(9),
      state: random.pick(STATES),
      reason: 'r',
      facts: { raft: 'leader' },
    }
    const body =
      random.below(2) === 0
        ? { boot_id: facts.bootId, reports: [report] }
        : { boot_id: facts.bootId, ...report }
    return json(
      boot(facts, 'POST', `${machinePath(facts, 1)}/reports`, [
        ['Authorization', `Bearer ${facts.reportToken}`],
      ]),
      body,
    )
  },
  (random, facts) =>
    api(facts, 'GET', random.pick(API_READS).replace('BOOT', facts.bootId).replace('IMAGE', facts.imageId)),
  (random, facts) =>
    api(facts, 'GET', random.pick(API_READS).replace('BOOT', facts.bootId).replace('IMAGE', facts.imageId)),
  (random, facts) => {
    const [method, target, body] = random.pick(API_WRITES)
    return json(api(facts, method, target), body)
  },
  (random, facts) => {
    const [method, target, body] = random.pick(API_WRITES)
    return json(api(facts, method, target), otherJson(random, body))
  },
]

const STEPS = [
  'chainfire-cluster-join',
  'flaredb-cluster-join',
  'iam-initial-setup',
  'cluster-health-check',
  'installed',
  'x',
]

const STATES = ['started', 'waiting', 'progress', 'succeeded', 'failed']

const BEACONS = [
  'kernel-sent',
  'initrd-sent',
  'squashfs-progress',
  'squashfs-waiting',
  'squashfs-loaded',
  'squashfs-failed',
  'toString',
]

const API_READS = [
  '/healthz',
  '/readyz',
  '/api/v1/counters',
  '/api/v1/machines',
  '/api/v1/machines/node01',
  '/api/v1/machines/node02/boots',
  '/api/v1/machines/node01/explain',
  '/api/v1/machines/node01/diagnosis',
  '/api/v1/machines/node01/files',
  '/api/v1/leases',
  '/api/v1/machines/node01/packets',
  '/api/v1/machines/node01/packets?format=pcap',
  '/api/v1/events?after=0&limit=5',
  '/api/v1/dhcp',
  '/api/v1/clusters',
  '/api/v1/clusters/demo',
  '/api/v1/clusters/demo/diagnosis',
  '/api/v1/images',
  '/api/v1/images/IMAGE',
  '/api/v1/services',
  '/api/v1/services/graph',
  '/api/v1/services/graph?format=dot&cluster=demo',
  '/api/v1/boots/BOOT',
  '/api/v1/fleet',
  '/api/v1/machines?limit=2&after=node01',
  '/api/v1/images?limit=1',
  '/api/v1/clusters?after=x',
  '/api/v1/backup',
]

const API_WRITES: readonly (readonly [method: string, target: string, body: unknown])[] = [
  [
    'POST',
    '/api/v1/machines',
    { name: 'fresh', macs: ['02:00:00:00:01:01'], role: 'worker', cluster: 'demo', boot_mode: 'netboot' },
  ],
  [
    'PATCH',
    '/api/v1/machines/node03',
    { ram_mib: 4096, kernel_arguments: ['quiet'], extra_config: { a: 1 }, address: null },
  ],
  [
    'PATCH',
    '/api/v1/machines/node03',
    { dhcp_options: { 'domain-name': 'x.example', 66: { type: 'string', value: 'y' } } },
  ],
  ['POST', '/api/v1/machines/node02/arm', { for_seconds: 600 }],
  ['POST', '/api/v1/machines/node02/hold', {}],
  ['POST', '/api/v1/machines/node02/release', {}],
  ['POST', '/api/v1/machines/node02/reprovision', { force: false }],
  ['PUT', '/api/v1/machines/node01/files', { path: '/etc/motd', mode: '644', content_base64: 'aGVsbG8=' }],
  ['DELETE', '/api/v1/machines/node01/files?path=/etc/motd', undefined],
  [
    'POST',
    '/api/v1/clusters',
    { name: 'other', expected_control_plane: 3, state_kind: 'ephemeral', services_api: { iam: { port: 1 } } },
  ],
  [
    'PATCH',
    '/api/v1/clusters/demo',
    { rearm: 'manual', role_config: { worker: { a: [1] } }, services: { worker: ['k8shost'] } },
  ],
  ['POST', '/api/v1/clusters/demo/arm', { for_seconds: 600 }],
  ['PUT', '/api/v1/clusters/demo/credentials/chainfire', { authorization: 'Bearer something-else' }],
  ['DELETE', '/api/v1/clusters/demo/credentials/flaredb', undefined],
  ['POST', '/api/v1/clusters/demo/founding/move', { to: 'node02' }],
  ['POST', '/api/v1/clusters/demo/refound', { machine: 'node02' }],
  ['POST', '/api/v1/clusters/demo/unfreeze', { as: 'open' }],
  ['POST', '/api/v1/clusters/demo/hold', { step: 'chainfire-cluster-join' }],
  ['POST', '/api/v1/clusters/demo/release', undefined],
  ['POST', '/api/v1/clusters/demo/slots/chainfire-cluster-join/free', undefined],
  ['POST', '/api/v1/clusters/demo/members/node01.1/remove', { force: false }],
  ['POST', '/api/v1/fleet/hold', {}],
  ['POST', '/api/v1/fleet/release', {}],
  ['POST', '/api/v1/images', { path: '/nowhere/at/all', name: 'x' }],
  ['POST', '/api/v1/images/uploads?name=up&version=1', 'not a tar'],
  ['POST', '/api/v1/images/none/verify', undefined],
  ['POST', '/api/v1/images/none/retire', undefined],
  ['POST', '/api/v1/image-names/none/promote', { version: '1' }],
  ['POST', '/api/v1/image-names/none/rollback', undefined],
  ['POST', '/api/v1/images/gc?dry_run=true', undefined],
  [
    'POST',
    '/api/v1/simulate',
    { mac: '02:00:00:00:00:01', architecture: 7, message: 'discover', options: { 60: '505845' } },
  ],
  [
    'POST',
    '/api/v1/simulate',
    { hex: '0101060011110003000080', relay: '10.77.0.9', socket: 'pxe', source_port: 4011 },
  ],
  ['DELETE', '/api/v1/machines/nobody', undefined],
  ['DELETE', '/api/v1/clusters/nobody', undefined],
]

function boot(
  { world, port }: HttpFuzzWorld,
  method: string,
  target: string,
  headers: readonly Header[] = [],
): Plan {
  return {
    side: 'boot',
    method,
    target,
    headers: [['Host', `${world.address}:${port.boot}`], ...headers],
    body: undefined,
  }
}

function api({ world, port, adminToken }: HttpFuzzWorld, method: string, target: string): Plan {
  const headers: Header[] = [
    ['Host', `${world.address}:${port.api}`],
    ['Authorization', `Bearer ${adminToken}`],
  ]
  return { side: 'api', method, target, headers, body: undefined }
}

function json(plan: Plan, body: unknown): Plan {
  if (body === undefined) return plan
  return {
    ...plan,
    headers: [...plan.headers, ['Content-Type', 'application/json']],
    body: JSON.stringify(body),
  }
}
