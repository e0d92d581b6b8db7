import { concatBytes } from '../../src/net/bytes.ts'
import type { SeededRandom } from './random.ts'

/** A message taken apart, so that it can be put together wrongly in places where that matters. */
export interface Parts {
  /** The 240 bytes up to and with the cookie. */
  readonly header: Uint8Array
  readonly options: readonly (readonly [code: number, value: Uint8Array])[]
}

const HEADER_BYTES = 240
/** Codes that the server looks at: what it reads is where it can be hurt. */
const READ_CODES = [43, 50, 51, 52, 53, 54, 55, 57, 60, 61, 66, 67, 77, 82, 93, 94, 97, 118, 175, 209, 0, 255]
/** Addresses that are special to a server: none, all, groups, loopback, its own, its subnets', the pool's edges. */
const ADDRESSES = [
  ...[0x00000000, 0xffffffff, 0xe0000001, 0x7f000001, 0xc0000201, 0xc0000232, 0xc0000233, 0xc0000264],
  ...[0xc00002c7, 0xc00002ff, 0xc0000200, 0xcb007101, 0xcb00713c, 0x0a630001, 0x0a630101, 0x01020304],
]
const ADDRESS_FIELDS = [12, 16, 20, 24]
const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 8, 17, 127, 128, 254, 255]

/** Takes a well-formed message apart; what stands behind END is left away. */
export function takeApart(bytes: Uint8Array): Parts {
  const options: [number, Uint8Array][] = []
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const code = bytes[at] ?? 255
    if (code === 255) break
    if (code === 0) {
      at += 1
      continue
    }
    const length = bytes[at + 1] ?? 0
    options.push([code, bytes.subarray(at + 2, at + 2 + length)])
    at += 2 + length
  }
  return { header: bytes.subarray(0, HEADER_BYTES), options }
}

/** A message made of one seed, and of pieces of others, with 0 to 6 things changed. */
export function mutated(random: SeededRandom, seeds: readonly Parts[]): Uint8Array {
  const seed = random.pick(seeds)
  const header = seed.header.slice()
  const options = [...seed.options]
  const changes = random.below(7)
  let tail: Uint8Array = Uint8Array.of(255)
  for (let change = 0; change < changes; change += 1) {
    switch (random.below(14)) {
      case 0:
        header[random.below(header.length)] = random.below(256)
        break
      case 1:
        putUint32(header, random.pick(ADDRESS_FIELDS), random.pick(ADDRESSES))
        break
      case 2:
        // Another MAC: one that is known, a group's, or nobody's.
        header[33] = random.below(8)
        if (random.below(8) === 0) header[28] = random.pick([0, 1, 2, 3, 0xdc, 0xff])
        break
      case 3:
        header[random.pick([0, 1, 2, 3, 8, 9, 10])] = random.pick([0, 1, 2, 6, 16, 17, 32, 128, 255])
        break
      case 4:
        options.splice(random.below(options.length + 1), random.below(3))
        break
      case 5:
        options.splice(random.below(options.length + 1), 0, random.pick(random.pick(seeds).options))
        break
      case 6:
        options.splice(random.below(options.length + 1), 0, [random.pick(READ_CODES), someBytes(random)])
        break
      case 7: {
        const at = random.below(options.length + 1)
        const [code, value] = options[at] ?? [random.below(256), someBytes(random)]
        options[at] = [code, value.length === 0 ? value : changedValue(random, value)]
        break
      }
      case 8:
        options.push([random.pick([50, 54, 118]), addressBytes(random.pick(ADDRESSES))])
        break
      case 9:
        setOption(options, 53, Uint8Array.of(random.below(10)))
        break
      case 10:
        options.push([82, relayInformation(random)])
        break
      case 11:
        // Options in sname and file, announced by 52.
        setOption(options, 52, Uint8Array.of(random.below(4)))
        header.set(optionArea(random, seeds).subarray(0, 64), random.pick([44, 108, 150]))
        break
      case 12:
        setOption(options, 57, Uint8Array.of(random.below(256), random.below(256)))
        break
      case 13:
        tail = random.pick([new Uint8Array(0), Uint8Array.of(255, 0, 0), someBytes(random)])
        break
    }
  }
  const whole = concatBytes([header, ...options.map(written), tail])
  if (random.below(8) === 0) return whole.subarray(0, random.below(whole.length + 1))
  // A length byte that lies, now and then.
  if (random.below(8) === 0) whole[random.below(whole.length)] = random.pick(LENGTHS)
  return whole
}

function written([code, value]: readonly [number, Uint8Array]): Uint8Array {
  const bytes = new Uint8Array(2 + Math.min(value.length, 255))
  bytes[0] = code
  bytes[1] = Math.min(value.length, 255)
  bytes.set(value.subarray(0, 255), 2)
  return bytes
}

function setOption(options: (readonly [number, Uint8Array])[], code: number, value: Uint8Array): void {
  const at = options.findIndex(([one]) => one === code)
  if (at === -1) options.unshift([code, value])
  else options[at] = [code, value]
}

function someBytes(random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(random.pick(LENGTHS))
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = random.below(256)
  return bytes
}

function changedValue(random: SeededRandom, value: Uint8Array): Uint8Array {
  switch (random.below(4)) {
    case 0:
      return value.subarray(0, random.below(value.length))
    case 1:
      return concatBytes([value, value])
    case 2:
      return concatBytes([value, someBytes(random)])
    default: {
      const changed = value.slice()
      changed[random.below(changed.length)] = random.below(256)
      return changed
    }
  }
}

function relayInformation(random: SeededRandom): Uint8Array {
  const parts: Uint8Array[] = []
  for (let count = random.below(4); count >= 0; count -= 1) {
    const code = random.pick([1, 2, 5, 11, 19, 151])
    const value =
      random.below(3) === 0 ? someBytes(random).subarray(0, 40) : addressBytes(random.pick(ADDRESSES))
    parts.push(written([code, value]))
  }
  return concatBytes(parts)
}

function optionArea(random: SeededRandom, seeds: readonly Parts[]): Uint8Array {
  const { options } = random.pick(seeds)
  return concatBytes([
    written(options[random.below(Math.max(1, options.length))] ?? [53, Uint8Array.of(1)]),
    Uint8Array.of(255),
  ])
}

function addressBytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes.set(addressBytes(value), at)
}
