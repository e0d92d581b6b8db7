/** One header block of a tar archive (POSIX.1-2017 pax, "ustar Interchange Format"; GNU's sizes in base 256 too). */
export interface TarHeader {
  readonly name: string
  readonly bytes: number
  /** `0` file, `1` hard link, `2` symbolic link, `5` directory, `x` `g` pax records, `L` `K` GNU long names. */
  readonly type: string
  readonly linkTo: string
}

export const BLOCK_BYTES = 512
const MAX_OCTAL_SIZE = 0o77777777777

/** Undefined: not a tar header, its checksum does not fit. */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  if (checksumOf(block) !== number(block, 148, 8)) return undefined
  const bytes = number(block, 124, 12)
  if (bytes === undefined) return undefined
  const isUstar = block.toString('latin1', 257, 262) === 'ustar'
  const prefix = isUstar ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  const type = String.fromCharCode(block[156] ?? 0)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    bytes,
    type: type === '\0' || type === '7' ? '0' : type,
    linkTo: text(block, 157, 100),
  }
}

/** A header for a regular file whose name is short. */
export function writeTarHeader(name: string, bytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is longer than 100 bytes`)
  block.write(name, 0)
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  if (bytes <= MAX_OCTAL_SIZE) block.write(bytes.toString(8).padStart(11, '0'), 124)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(bytes), 128)
  }
  block.write('00000000000\0', 136)
  block.write('0', 156)
  block.write('ustar\x0000', 257)
  block.write(`${checksumOf(block).toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** The records of a pax header: `LENGTH KEY=VALUE\n`, the length counting itself. Undefined: malformed. */
export function readPaxRecords(body: Buffer): ReadonlyMap<string, string> | undefined {
  const records = new Map<string, string>()
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at)
    const length = Number(body.toString('latin1', at, space))
    if (space < 0 || !Number.isInteger(length) || length < 5 || at + length > body.length) return undefined
    const record = body.toString('utf8', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    if (equals < 1) return undefined
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

/** The sum of all bytes, with the checksum's own eight counted as blanks. */
function checksumOf(block: Buffer): number {
  let sum = 8 * 0x20
  for (let at = 0; at < BLOCK_BYTES; at += 1) if (at < 148 || at >= 156) sum += block[at] ?? 0
  return sum
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}

function number(block: Buffer, at: number, length: number): number | undefined {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    const value = block.subarray(at + 1, at + length).reduce((sum, byte) => sum * 256 + byte, 0)
    return Number.isSafeInteger(value) && block[at] === 0x80 ? value : undefined
  }
  const digits = text(block, at, length).trim()
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined
}
