import { concatBytes } from '../../src/net/bytes.ts'
import { changedBytes, cutOff, overwritten } from './changed-bytes.ts'
import { DATES, HOSTILE_PARTS, JUNK_VALUES, NUMBERS } from './http-words.ts'
import type { HttpFuzzWorld } from './http-world.ts'
import type { SeededRandom } from './random.ts'
import type { Header } from './raw-request.ts'

export function withHostilePart(random: SeededRandom, target: string): string {
  const [file = '', query] = target.split('?')
  const parts = file.split('/')
  parts.splice(1 + random.below(parts.length), random.below(2), random.pick(HOSTILE_PARTS))
  return parts.join('/') + (query === undefined ? '' : `?${query}`)
}

export function withQuery(random: SeededRandom, target: string): string {
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

export function someCondition(random: SeededRandom, { files }: HttpFuzzWorld): Header {
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

export function someAuthorization(
  random: SeededRandom,
  { adminToken, bootToken, reportToken }: HttpFuzzWorld,
): string {
  const token = random.pick([adminToken, bootToken, reportToken])
  return random.pick([
    `Bearer ${token}`,
    `bearer ${token}`,
    `Bearer  ${token}`,
    `Bearer ${token} `,
    `Bearer ${token}x`,
    `Basic ${token}`,
    token,
    `Bearer ${token.slice(0, -1)}`,
    `Bearer ${token}, Bearer ${token}`,
    'Bearer',
    'Bearer ',
    '',
    `Bearer ${'x'.repeat(600)}`,
    'Bearer ../../x',
    'Bearer \xff\xff',
    `Bearer ${'Qz7'.repeat(14)}`,
  ])
}

export function someHeader(random: SeededRandom): Header {
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

export function otherBody(random: SeededRandom, body: string): string {
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
export function otherJson(random: SeededRandom, value: unknown): unknown {
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

/** The same request with 1 to 3 things changed in its bytes: their end, pieces left out, delimiters put in. */
export function brokenBytes(random: SeededRandom, bytes: Buffer): Buffer<ArrayBuffer> {
  const changed = changedBytes(random, bytes, 3, [
    cutOff,
    (bytes, at) => concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(4))]),
    (bytes, at) => {
      const delimiter = Buffer.from(random.pick(['\r', '\n', '\r\n', '\0', '\xff', ' ', ':']))
      return concatBytes([bytes.subarray(0, at), delimiter, bytes.subarray(at)])
    },
    overwritten(() => random.below(256)),
  ])
  return Buffer.from(changed)
}
