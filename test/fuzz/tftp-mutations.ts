import { concatBytes, textBytes } from '../../src/net/bytes.ts'
import { changedBytes, cutOff, overwritten } from './changed-bytes.ts'
import type { SeededRandom } from './random.ts'

const OPCODES = [0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 255, 256, 257, 1024]
const MODES = [
  'octet',
  'octet',
  'octet',
  'OCTET',
  'oCtEt',
  'netascii',
  'NetASCII',
  'mail',
  'octe',
  '',
  'octet ',
]
const OPTION_NAMES = [
  'blksize',
  'tsize',
  'timeout',
  'windowsize',
  'BLKSIZE',
  'WindowSize',
  'multicast',
  'utimeout',
  '',
  'x',
]
const OPTION_VALUES = [
  ...[
    '0',
    '1',
    '7',
    '8',
    '9',
    '16',
    '255',
    '256',
    '512',
    '1024',
    '1428',
    '1432',
    '1468',
    '1469',
    '8192',
    '65464',
    '65465',
  ],
  ...[
    '65535',
    '65536',
    '4294967296',
    '99999999999',
    '-1',
    '+8',
    ' 8',
    '8 ',
    '0x10',
    '1e3',
    '08',
    '',
    'a',
    '1.5',
    '²',
  ],
]
/** Names that try to get out, or that are none; `NAME` stands for one of a file that is there. */
const HOSTILE_NAMES = [
  ...[
    '../secret.txt',
    '..\\secret.txt',
    '/../secret.txt',
    'a/../../secret.txt',
    './../secret.txt',
    '..',
    '.',
    '/',
    '',
  ],
  ...[
    '....//secret.txt',
    '..%2fsecret.txt',
    '%2e%2e/secret.txt',
    '..%c0%afsecret.txt',
    '\xc0\xae\xc0\xae/secret.txt',
  ],
  ...[
    '\uff0e\uff0e/secret.txt',
    '\u2025/secret.txt',
    '..;/secret.txt',
    '.. /secret.txt',
    '..\xff/secret.txt',
    '..\x01/x',
  ],
  ...[
    '/etc/passwd',
    'C:\\Windows\\win.ini',
    '\\\\host\\share',
    'file:///etc/passwd',
    'secret.txt',
    'manifest.json',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '02-00-00-00-00-01/NAME',
    'NAME/',
    'NAME/.',
    './/./NAME',
    '//NAME',
    '/NAME',
  ],
  ...[
    '\\NAME',
    'NAME\xff',
    'NAME  ',
    'NAME\xff\xff ',
    ' NAME',
    'NAME\n',
    'NAME%00',
    'NAME;ls',
    '$(NAME)',
    '${NAME}',
  ],
]

/** A request as a client may send it: mostly well-formed, seldom wise. */
export function someRequest(random: SeededRandom, names: readonly string[]): Uint8Array {
  const opcode = random.below(4) === 0 ? random.pick(OPCODES) : 1
  const words = [someName(random, names), random.below(4) === 0 ? random.pick(MODES) : 'octet']
  // The longest transfer that there is, and each block of it small.
  if (random.below(100) === 0)
    words.splice(0, 2, 'big.bin', 'octet', 'blksize', '8', 'windowsize', random.pick(['1', '16']))
  const options = random.below(8) === 0 ? random.below(12) : random.below(5)
  for (let count = 0; count < options; count += 1) {
    const isPlain = random.below(2) === 0
    words.push(random.pick(isPlain ? OPTION_NAMES.slice(0, 4) : OPTION_NAMES), random.pick(OPTION_VALUES))
  }
  return concatBytes([
    Uint8Array.of(opcode >>> 8, opcode & 0xff),
    ...words.flatMap((word) => [bytesOf(word), Uint8Array.of(0)]),
  ])
}

function someName(random: SeededRandom, names: readonly string[]): string {
  const name = random.pick(names)
  switch (random.below(6)) {
    case 0:
      return random.pick(HOSTILE_NAMES).replace('NAME', name)
    case 1:
      return random.pick([
        name.toUpperCase(),
        name.repeat(1 + random.below(40)),
        name.slice(0, random.below(9)),
      ])
    default:
      return name
  }
}

/** Packets that no client sends to the listening port, or that go with a transfer. */
export function someOther(random: SeededRandom): Uint8Array {
  const opcode = random.pick([0, 3, 4, 4, 4, 5, 5, 6, 7, 9, 255, 256, 1028])
  const body = new Uint8Array(random.pick([0, 1, 2, 2, 2, 3, 8, 30, 600]))
  for (let at = 0; at < body.length; at += 1) body[at] = random.below(random.pick([2, 256]))
  return concatBytes([Uint8Array.of(opcode >>> 8, opcode & 0xff), body])
}

/** The same packet with 1 to 4 things changed in it: bytes, its end, pieces of another. */
export function broken(random: SeededRandom, packet: Uint8Array, other: Uint8Array): Uint8Array {
  const otherByte = overwritten(() =>
    random.pick([0, 1, 0x25, 0x2e, 0x2f, 0x5c, 0x7f, 0xff, random.below(256)]),
  )
  return changedBytes(random, packet, 4, [
    cutOff,
    (bytes) => concatBytes([bytes, other.subarray(random.below(other.length + 1))]),
    (bytes, at) =>
      concatBytes([bytes.subarray(0, at), other.subarray(0, random.below(9)), bytes.subarray(at)]),
    (bytes, at) => concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(3))]),
    (bytes) =>
      concatBytes([bytes, new Uint8Array(random.pick([1, 2, 200, 512])).fill(random.pick([0, 65, 255]))]),
    otherByte,
    otherByte,
  ])
}

/** Latin-1 where that is enough, so that single bytes can be meant; else UTF-8. */
function bytesOf(text: string): Uint8Array {
  return /^[\x00-\xff]*$/.test(text) ? Uint8Array.from(text, (char) => char.charCodeAt(0)) : textBytes(text)
}
