import { type HttpFuzzWorld, machinePath } from './http-world.ts'
import type { SeededRandom } from './random.ts'

/** A request as it goes over the wire. */
export interface RawRequest {
  readonly side: 'boot' | 'api'
  readonly bytes: Buffer
  readonly method: string
  readonly target: string
  readonly headers: readonly Header[]
  /** True where it is HTTP/1.1 by the letter: then there is exactly one answer. */
  readonly isSound: boolean
  /** The machine whose address it comes from; 9 is nobody's. */
  readonly from: number
}

type Header = readonly [name: string, value: string]

/** A request before anything is changed. */
interface Plan {
  side: 'boot' | 'api'
  method: string
  target: string
  headers: Header[]
  body: string | undefined
}

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'M-SEARCH',
]
const NO_METHODS = ['get', 'GETT', 'G\tET', '', 'CONNECT', 'PRI', '\x16\x03\x01', 'A'.repeat(9000)]
const HOSTILE_PARTS = [
  ...[
    '..',
    '.',
    '...',
    '%2e%2e',
    '%2e',
    '..%2f',
    '..%5c',
    '..\\',
    '%252e%252e',
    '%c0%ae%c0%ae',
    '%uff0e%uff0e',
    '%00',
  ],
  ...[
    '%',
    '%g1',
    '%ff',
    '%e2%80%ae',
    '%0d%0aX-Injected:%201',
    '%0a',
    '\xff\xfe',
    '\u202e',
    '//',
    ';/..;',
    '*',
    '?',
    '#',
  ],
  ...[
    'secret.txt',
    '.secret',
    '..%2fsecret.txt',
    '..%2f..%2fsecret.txt',
    'etc%2fpasswd',
    'admin.token',
    'manifest.json',
  ],
  ...[
    '__proto__',
    'constructor',
    '%24%7bjndi%7d',
    '${7*7}',
    "' OR 1=1 --".replaceAll(' ', '%20'),
    '<script>',
    'A'.repeat(300),
  ],
  ...[
    'A'.repeat(3000),
    '0',
    '-1',
    '1e9',
    'null',
    '02-00-00-00-00-09',
    '02:00:00:00:00:01',
    '020000000001',
    'lib.sh',
  ],
]
const HOSTILE_TARGETS = [
  ...[
    'http://evil.example/',
    'http://evil.example/boot.ipxe',
    '//evil.example/boot.ipxe',
    '*',
    '/',
    '',
    'boot.ipxe',
    '/?',
    '/#x',
  ],
  ...[
    '/first-boot/../secret.sh',
    '/first-boot/..%2fREADME.md',
    '/first-boot/%2e%2e/units/',
    '/first-boot/.secret',
  ],
  ...[
    '/first-boot//lib.sh',
    '/first-boot/lib.sh%00',
    '/first-boot/..%5c..%5csecret.txt',
    '/first-boot/',
    '/first-boot',
  ],
  ...[
    '/images/../data/secret.txt',
    '/images/..%2f..%2fsecret.txt/x',
    '/assets/..%2fsecret.txt',
    '/assets/../secret.txt',
  ],
  ...[
    '/assets/.',
    '/assets/%2e%2e',
    '/api/v1/../../secret.txt',
    '/images/%2e%2e/%2e%2e/secret.txt',
    `/${'a/'.repeat(2000)}`,
  ],
]
const RANGES = [
  ...[
    'bytes=0-0',
    'bytes=0-',
    'bytes=-1',
    'bytes=-0',
    'bytes=1-3',
    'bytes=5-2',
    'bytes=699-',
    'bytes=700-',
    'bytes=8999-9999',
  ],
  ...[
    'bytes=0-99,200-299',
    'bytes=0-0,-1',
    'bytes=1-2,2-3',
    'bytes=500-600,0-9',
    'bytes=-5,-3',
    'bytes=0-0,99999999-',
    'bytes=,',
  ],
  ...[
    'bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,16-16',
    'bytes=a-b',
    'bytes=',
    'bytes',
  ],
  ...[
    'bytes=99999999999999999999-',
    'bytes=-99999999999999999999',
    'bytes=0-18446744073709551616',
    'bytes=0x0-1',
    'Bytes=0-1',
  ],
  ...[
    'bytes = 0-1',
    'bytes=0 - 1',
    'bytes= 0-1 , 3-4 ',
    'chunks=0-1',
    'bytes=--1',
    'bytes=0-1;x',
    'bytes=65535-65536',
    'bytes=4-4,3-3',
  ],
]
const DATES = [
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Fri, 15 Jan 2100 00:00:00 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  '0',
  'x 1',
  '',
]
const TYPES = [
  ...[
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=latin1',
    'text/plain',
    'application/xml',
  ],
  ...[
    'application/octet-stream',
    'application/x-tar',
    'application/gzip',
    'application/zstd',
    'multipart/form-data; boundary=x',
  ],
  ...[
    'application/x-www-form-urlencoded',
    'APPLICATION/JSON',
    'application/problem+json',
    'json',
    ';',
    'a/b; q=";',
  ],
]
const JUNK_VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    '',
    ' ',
    '..',
    '../secret.txt',
    '\u0000',
    '\u202e',
    '\ud800',
    'null',
    [],
    {},
    [[]],
  ],
  ...[
    [null],
    { toString: 1 },
    'x'.repeat(256),
    'x'.repeat(70_000),
    '02:00:00:00:00:01',
    '10.77.0.1',
    'node01',
    'demo',
    'i1',
    '$(id)',
  ],
  ...[
    '${net0/ip}',
    'a\nb',
    '%s%n',
    { a: { b: { c: [1, { d: null }] } } },
    Array.from({ length: 300 }, (_, n) => n),
  ],
]

/** One request, changed in 0 to 4 places; every sixteenth then in its bytes. */
export function someHttpRequest(random: SeededRandom, facts: HttpFuzzWorld): RawRequest {
  const plan = random.pick(PLANS)(random, facts)
  let version = 'HTTP/1.1'
  let isSound = true
  const odd: string[] = []
  for (let changes = random.below(5); changes > 0; changes -= 1) {
    switch (random.below(18)) {
      case 0:
        plan.method = random.pick(METHODS)
        break
      case 1:
      case 17:
        plan.target = withHostilePart(random, plan.target)
        break
      case 2:
        plan.target = random.pick([...HOSTILE_TARGETS, ...facts.filePaths])
        break
      case 3:
      case 4:
        plan.target = withQuery(random, plan.target)
        break
      case 5:
      case 6:
        plan.headers.push(['Range', random.pick(RANGES)])
        break
      case 7:
        plan.headers.push(someCondition(random, facts))
        break
      case 8:
        plan.headers = plan.headers.filter(([name]) => name !== 'Authorization')
        plan.headers.push(['Authorization', someAuthorization(random, facts)])
        break
      case 9:
        plan.headers.push(someHeader(random))
        break
      case 10:
      case 11:
      case 12:
        if (plan.body !== undefined) plan.body = otherBody(random, plan.body)
        break
      case 13:
        plan.headers = plan.headers.filter(([name]) => name !== 'Content-Type')
        plan.headers.push(['Content-Type', random.pick(TYPES)])
        break
      case 14:
        plan.headers.splice(0, 1)
        break
      case 15:
        if (random.below(3) === 0) plan.method = random.pick(NO_METHODS)
        else version = random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.10', '', 'ICY', 'HTTP/1.1'])
        break
      case 16:
        if (random.below(2) === 0) odd.push(random.pick(FRAMING))
        break
    }
  }
  const body = Buffer.from(plan.body ?? '')
  const headers: Header[] = [...plan.headers]
  if (plan.body !== undefined || random.below(10) === 0) headers.push(['Content-Length', String(body.length)])
  const lines = [
    `${plan.method} ${plan.target} ${version}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...odd,
  ]
  let bytes = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
  const isPlainTarget = /^(?:\/|http:\/\/)[\x21-\x7e]*$/.test(plan.target)
  const hosts = headers.filter(([name]) => name === 'Host').length
  if (odd.length > 0 || version !== 'HTTP/1.1' || NO_METHODS.includes(plan.method)) isSound = false
  if (!isPlainTarget || hosts !== 1 || headers.some(([name, value]) => !isPlain(name, value))) isSound = false
  if (plan.body === undefined && body.length > 0) isSound = false
  if (random.below(16) === 0) {
    bytes = brokenBytes(random, bytes)
    isSound = false
  }
  const { side, method, target } = plan
  return { side, bytes, method, target, headers, isSound, from: random.pick([1, 1, 1, 2, 2, 9]) }
}

/** Words about a body's length that disagree, and heads that a lenient reader would take for something else. */
const FRAMING = [
  ...[
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 1, 2',
    'Content-Length: 99999999999999999999',
    'Content-Length: 0x5',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding : chunked',
  ],
  ...[
    'Host: evil.example',
    'Host:',
    ' folded: yes',
    'No-Colon',
    ': no-name',
    'A: b\nC: d',
    `Long: ${'x'.repeat(20_000)}`,
    'N\x00: 1',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: tea',
    'Connection: upgrade\r\nUpgrade: websocket',
    'Connection: close',
    'Upgrade: h2c',
  ],
]

const PLANS: readonly ((random: SeededRandom, facts: HttpFuzzWorld) => Plan)[] = [
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

const NUMBERS = [
  '0',
  '1',
  '-1',
  '4294967296',
  '1800000000000',
  '9999999999999',
  '99999999999999999',
  '1e3',
  'x',
  '',
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
  ...[
    '/healthz',
    '/readyz',
    '/api/v1/counters',
    '/api/v1/machines',
    '/api/v1/machines/node01',
    '/api/v1/machines/node02/boots',
  ],
  ...[
    '/api/v1/machines/node01/explain',
    '/api/v1/machines/node01/diagnosis',
    '/api/v1/machines/node01/files',
    '/api/v1/leases',
  ],
  ...[
    '/api/v1/machines/node01/packets',
    '/api/v1/machines/node01/packets?format=pcap',
    '/api/v1/events?after=0&limit=5',
    '/api/v1/dhcp',
  ],
  ...[
    '/api/v1/clusters',
    '/api/v1/clusters/demo',
    '/api/v1/clusters/demo/diagnosis',
    '/api/v1/images',
    '/api/v1/images/IMAGE',
  ],
  ...[
    '/api/v1/services',
    '/api/v1/services/graph',
    '/api/v1/services/graph?format=dot&cluster=demo',
    '/api/v1/boots/BOOT',
    '/api/v1/fleet',
  ],
  ...[
    '/api/v1/machines?limit=2&after=node01',
    '/api/v1/images?limit=1',
    '/api/v1/clusters?after=x',
    '/api/v1/backup',
  ],
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

function withHostilePart(random: SeededRandom, target: string): string {
  const [file = '', query] = target.split('?')
  const parts = file.split('/')
  parts.splice(1 + random.below(parts.length), random.below(2), random.pick(HOSTILE_PARTS))
  return parts.join('/') + (query === undefined ? '' : `?${query}`)
}

function withQuery(random: SeededRandom, target: string): string {
  const names = [
    'wait',
    'data',
    'bytes',
    'why',
    'after',
    'limit',
    'format',
    'uuid',
    'serial',
    'ram0',
    'ram1',
    'path',
    'name',
    'dry_run',
    '__proto__',
    'x[]',
  ]
  const values = [
    ...NUMBERS,
    ...HOSTILE_PARTS.filter((part) => !part.includes('#')),
    'a%20b',
    '%22%3e%3cx',
    'pcap',
    'svg',
  ]
  const value = random.pick(values)
  // A gate may hold a request for so many seconds.
  const name = random.pick(names)
  const pair = `${name}=${name === 'wait' ? 'x' : value}`
  return `${target}${target.includes('?') ? '&' : '?'}${pair}`
}

function someCondition(random: SeededRandom, { files }: HttpFuzzWorld): Header {
  const [sha256 = ''] = [random.pick([...files.keys()])]
  const tag = random.pick([
    `"${sha256}"`,
    `W/"${sha256}"`,
    '"x"',
    '*',
    '',
    '"a", "b"',
    sha256,
    `"a", "${sha256}"`,
  ])
  const name = random.pick([
    'If-Match',
    'If-None-Match',
    'If-Range',
    'If-Modified-Since',
    'If-Unmodified-Since',
  ])
  return [name, random.below(3) === 0 || name.endsWith('Since') ? random.pick(DATES) : tag]
}

function someAuthorization(
  random: SeededRandom,
  { adminToken, bootToken, reportToken }: HttpFuzzWorld,
): string {
  const token = random.pick([adminToken, bootToken, reportToken])
  return random.pick([
    ...[
      `Bearer ${token}`,
      `bearer ${token}`,
      `Bearer  ${token}`,
      `Bearer ${token} `,
      `Bearer ${token}x`,
      `Basic ${token}`,
      token,
    ],
    ...[
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${token}, Bearer ${token}`,
      'Bearer',
      'Bearer ',
      '',
      `Bearer ${'x'.repeat(600)}`,
    ],
    ...['Bearer ../../x', 'Bearer \xff\xff', `Bearer ${'Qz7'.repeat(14)}`],
  ])
}

function someHeader(random: SeededRandom): Header {
  return random.pick([
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-HTTP-Method-Override', 'DELETE'],
    ['Accept', 'text/html'],
    ['Accept-Encoding', 'gzip, br'],
    ['Idempotency-Key', random.pick(['k1', 'k2', '', 'x'.repeat(200), 'a b'])],
    ['If-Match', '"1"'],
    ['Cookie', 'a=b'],
    ['Origin', 'http://evil.example'],
    ['User-Agent', '\x1b]0;x\x07'],
    ['Pilotlight-Nonce', 'zz'],
    ['Pilotlight-Clock', '-5'],
    ['Accept-Version', '9.9.9'],
    ['Content-Encoding', 'gzip'],
  ] as const satisfies readonly Header[])
}

function otherBody(random: SeededRandom, body: string): string {
  switch (random.below(6)) {
    case 0:
      return body.slice(0, random.below(body.length + 1))
    case 1:
      return random.pick([
        '',
        '{',
        '[]',
        'null',
        '"x"',
        '{"__proto__":{"a":1}}',
        '{"constructor":{"prototype":1}}',
        '\ufeff{}',
        '1e999',
      ])
    case 2:
      return random.below(20) === 0
        ? `"${'x'.repeat(1_100_000)}"`
        : '['.repeat(random.pick([10, 1000, 20_000]))
    case 3:
      return body.replace('"', '')
    default:
      try {
        return JSON.stringify(otherJson(random, JSON.parse(body)))
      } catch {
        return `${body}x`
      }
  }
}

/** The same value with one thing in it that is another, missing, or too many. */
function otherJson(random: SeededRandom, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random.below(6) === 0) return random.pick(JUNK_VALUES)
  if (Array.isArray(value)) {
    const copy = [...value]
    copy.splice(random.below(copy.length + 1), random.below(2), random.pick(JUNK_VALUES))
    return copy
  }
  const entries = Object.entries(value)
  const at = random.below(entries.length + 1)
  const [name = 'x', old] = entries[at] ?? []
  switch (random.below(4)) {
    case 0:
      entries.splice(at, 1)
      break
    case 1:
      entries.push([
        random.pick(['x', 'Name', ' name', 'name\u0000', 'toString', 'id', 'force']),
        random.pick(JUNK_VALUES),
      ])
      break
    default:
      entries[at] = [name, otherJson(random, old)]
  }
  return Object.fromEntries(entries)
}

function brokenBytes(random: SeededRandom, bytes: Buffer): Buffer<ArrayBuffer> {
  let changed = Buffer.from(bytes)
  for (let changes = 1 + random.below(3); changes > 0; changes -= 1) {
    const at = random.below(changed.length + 1)
    switch (random.below(4)) {
      case 0:
        changed = changed.subarray(0, at)
        break
      case 1:
        changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + random.below(4))])
        break
      case 2:
        changed = Buffer.concat([
          changed.subarray(0, at),
          Buffer.from(random.pick(['\r', '\n', '\r\n', '\0', '\xff', ' ', ':'])),
          changed.subarray(at),
        ])
        break
      default:
        if (at < changed.length) changed[at] = random.below(256)
    }
  }
  return changed
}

function isPlain(name: string, value: string): boolean {
  return /^[A-Za-z0-9-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
}
