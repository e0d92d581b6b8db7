import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { latin1 } from '../../src/net/bytes.ts'
import {
  ackPacket,
  dataPacket,
  errorPacket,
  oackPacket,
  parsePacket,
  readRequestPacket,
} from '../../src/tftp/packet.ts'

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const request = (...words: readonly string[]) => bytes(`\0\x01${words.map((word) => `${word}\0`).join('')}`)

t.test('RFC 1350 §5, RFC 2347 §2: a read request with its options, names in lower case', async (t) => {
  const packet = parsePacket(request('snponly.efi', 'OcTeT', 'BLKSIZE', '1432', 'tsize', '0'))
  t.strictSame(packet, {
    kind: 'rrq',
    fileName: 'snponly.efi',
    mode: 'octet',
    options: new Map([
      ['blksize', '1432'],
      ['tsize', '0'],
    ]),
  })
  t.match(parsePacket(request('a', 'netascii')), { kind: 'rrq', mode: 'netascii', options: new Map() })
})

t.test('of a repeated option the first counts, and a name without its value is ignored', async (t) => {
  const packet = parsePacket(request('a', 'octet', 'blksize', '1024', 'BlkSize', '8', 'tsize'))
  t.match(packet, { kind: 'rrq', options: new Map([['blksize', '1024']]) })
})

t.test('§6: what a malformed request is answered with', async (t) => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['no NUL at the end', bytes('\0\x01a\0octet'), /does not end in NUL/],
    ['no mode', bytes('\0\x01abc\0'), /lacks a file name or a mode/],
    ['mail', request('a', 'mail'), /mode/],
    ['256 bytes of name', request('x'.repeat(256), 'octet'), /256 bytes/],
    ['nine options', request('a', 'octet', ...Array.from({ length: 18 }, (_, n) => `${n}`)), /more than 8/],
    ['513 bytes', request('a', 'octet', 'x', 'y'.repeat(513 - 2 - 2 - 6 - 2 - 1)), /513 bytes/],
  ]
  for (const [what, packet, message] of cases) {
    t.match(parsePacket(packet), { kind: 'malformed-request', message }, what)
  }
  t.match(parsePacket(request('x'.repeat(255), 'octet')), { kind: 'rrq' }, '255 bytes of name are good')
  t.match(
    parsePacket(request('a', 'octet', ...Array.from({ length: 16 }, (_, n) => `${n}`))),
    { kind: 'rrq' },
    'eight options are good',
  )
})

t.test('WRQ is known, and what is no TFTP is nothing', async (t) => {
  t.strictSame(parsePacket(bytes('\0\x02a\0octet\0')), { kind: 'wrq' })
  for (const hex of ['', '00', '0001', '000100', '00070000', 'ffff0000', '01000000', '00000000']) {
    t.equal(parsePacket(Buffer.from(hex, 'hex')), undefined, hex)
  }
})

t.test('an ERROR has its code and at most 255 bytes of its text, up to the NUL', async (t) => {
  t.strictSame(parsePacket(errorPacket(8, 'User aborted the transfer')), {
    kind: 'error',
    code: 8,
    message: 'User aborted the transfer',
  })
  t.match(parsePacket(bytes('\0\x05\0\0no end')), { kind: 'error', code: 0, message: 'no end' })
  t.match(parsePacket(bytes(`\0\x05\0\0${'x'.repeat(900)}`)), { message: 'x'.repeat(255) })
})

t.test('RFC 2347: an OACK ends in NUL after each value', async (t) => {
  const packet = oackPacket(
    new Map([
      ['tsize', '74213'],
      ['blksize', '1432'],
    ]),
  )
  t.equal(latin1(packet), '\0\x06tsize\x0074213\0blksize\x001432\0')
})

t.test('property: what is written is read back', async () => {
  const word = fc.stringMatching(/^[a-z]{1,12}$/)
  fc.assert(
    fc.property(
      word,
      fc.uniqueArray(fc.tuple(word, word), { selector: ([name]) => name, maxLength: 8 }),
      fc.constantFrom('octet', 'netascii'),
      (fileName, options, mode) => {
        const packet = parsePacket(readRequestPacket(fileName, new Map(options), mode))
        assert.deepEqual(packet, { kind: 'rrq', fileName, mode, options: new Map(options) })
        const oack = parsePacket(oackPacket(new Map(options)))
        if (options.length > 0) assert.deepEqual(oack, { kind: 'oack', options: new Map(options) })
      },
    ),
  )
  fc.assert(
    fc.property(fc.nat(0xffff), fc.uint8Array({ maxLength: 2000 }), (block, body) => {
      assert.deepEqual(parsePacket(ackPacket(block)), { kind: 'ack', block })
      const data = parsePacket(dataPacket(block, body))
      assert.deepEqual(data, { kind: 'data', block, bytes: body })
    }),
  )
})

t.test('property: no bytes, whole or cut anywhere, make the parser throw', async (t) => {
  const whole = [
    readRequestPacket('snponly.efi', new Map([['blksize', '1468']])),
    oackPacket(new Map([['tsize', '1']])),
    errorPacket(1, 'x'),
    ackPacket(7),
  ]
  for (const packet of whole) {
    for (let length = 0; length <= packet.length; length += 1) {
      t.doesNotThrow(() => parsePacket(packet.subarray(0, length)))
    }
  }
  fc.assert(
    fc.property(fc.nat(8), fc.uint8Array({ maxLength: 600 }), (opcode, rest) => {
      parsePacket(Uint8Array.of(0, opcode, ...rest))
    }),
    { numRuns: 2000 },
  )
})

t.test('a request that is cut is never taken for a shorter one', async (t) => {
  const packet = readRequestPacket('snponly.efi', new Map([['blksize', '1468']]))
  for (let length = 4; length < packet.length; length += 1) {
    const parsed = parsePacket(packet.subarray(0, length))
    if (parsed?.kind === 'rrq')
      t.equal(packet[length - 1], 0, `cut after ${length} bytes, at the end of a word`)
  }
})
