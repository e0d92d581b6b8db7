import { ImageFault } from './image-fault.ts'
import { BLOCK_BYTES, readPaxRecords, readTarHeader, type TarHeader } from './tar-header.ts'

/** An entry that may be part of a set; all that must not be in an archive of one is refused before. */
export interface TarEntry {
  /** Relative, with plain segments: `kexec/bzImage`. */
  readonly name: string
  readonly kind: 'file' | 'link'
  readonly bytes: number
  /** For a link: the name inside the archive that it leads to. */
  readonly target?: string
  /** The file's bytes; what is not read is skipped. */
  body(): AsyncGenerator<Buffer>
}

const MAX_EXTENSION_BYTES = 64 * 1024
const SEGMENT = /^[A-Za-z0-9._+@=,~-]{1,255}$/

/**
 * Reads an archive as it streams by. Names that lead out of it, absolute names, devices, sockets, links to the outside
 * and a broken or cut archive are refused.
 *
 * @throws ImageFault
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const input = new ByteInput(source)
  try {
    yield* entriesOf(input)
  } finally {
    // Also where the reader stops in the midst: a file of this disk is closed then, and not when it is collected.
    await input.close()
  }
}

async function* entriesOf(input: ByteInput): AsyncGenerator<TarEntry> {
  let next: { name?: string; linkTo?: string; bytes?: number } = {}
  for (;;) {
    const block = await input.exactly(BLOCK_BYTES)
    if (block.every((byte) => byte === 0)) break
    const header = readTarHeader(block)
    if (header === undefined)
      throw broken('a header block has a wrong checksum: this is no tar archive, or it is damaged')
    if ('xgLK'.includes(header.type)) {
      next = { ...next, ...(await readExtension(input, header)) }
      continue
    }
    const entry = { ...header, ...next }
    next = {}
    if (entry.type === '5') {
      await input.skip(padded(entry.bytes))
      continue
    }
    const name = plainName(entry.name)
    if (entry.type === '1' || entry.type === '2') {
      yield { name, kind: 'link', bytes: 0, target: linkTarget(entry, name), body: async function* () {} }
      continue
    }
    if (entry.type !== '0') {
      throw fault(
        'tar-entry-refused',
        `${JSON.stringify(name)} is a device, a pipe or of an unknown kind (type ${JSON.stringify(entry.type)})`,
        'pack only regular files',
      )
    }
    let left = entry.bytes
    yield {
      name,
      kind: 'file',
      bytes: entry.bytes,
      async *body() {
        while (left > 0) {
          const chunk = await input.some(left)
          left -= chunk.length
          yield chunk
        }
      },
    }
    await input.skip(left + padded(entry.bytes) - entry.bytes)
  }
  // What follows the end mark is padding; it is read so that whoever sends it can finish.
  await input.drain()
}

async function readExtension(input: ByteInput, { type, bytes }: TarHeader) {
  if (bytes > MAX_EXTENSION_BYTES) throw broken(`an extended header has ${bytes} bytes`)
  const body = (await input.exactly(padded(bytes))).subarray(0, bytes)
  const name = body.toString('utf8').replace(/\0.*$/s, '')
  if (type === 'L') return { name }
  if (type === 'K') return { linkTo: name }
  if (type === 'g') return {}
  const records = readPaxRecords(body)
  if (records === undefined) throw broken('a pax header is malformed')
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse')))
    throw fault('tar-entry-refused', 'a file is stored sparse', 'pack without --sparse')
  const size = records.get('size')
  if (size !== undefined && !/^\d{1,15}$/.test(size))
    throw broken(`a pax header says size=${size.slice(0, 40)}`)
  return {
    ...(records.has('path') ? { name: records.get('path') ?? '' } : {}),
    ...(records.has('linkpath') ? { linkTo: records.get('linkpath') ?? '' } : {}),
    ...(size === undefined ? {} : { bytes: Number(size) }),
  }
}

/** The name without `./`; a name that could lead anywhere else is refused, not mended. */
function plainName(name: string): string {
  const segments = name
    .split('/')
    .filter((segment, index) => segment !== '.' && (segment !== '' || index === 0))
  const isPlain = segments.every((segment) => segment !== '..' && SEGMENT.test(segment))
  if (isPlain && segments.length > 0 && segments.length <= 16) return segments.join('/')
  throw fault(
    'tar-entry-refused',
    `the archive holds the name ${JSON.stringify(name.slice(0, 100))}`,
    'pack with plain names below one directory',
  )
}

/** Where a link leads inside the archive: a hard link from its root, a symbolic one from its own directory. */
function linkTarget(entry: TarHeader, name: string): string {
  const path = entry.type === '1' ? [] : name.split('/').slice(0, -1)
  let isInside = !entry.linkTo.startsWith('/')
  for (const segment of entry.linkTo.split('/')) {
    if (segment === '.' || segment === '') continue
    if (segment !== '..') path.push(segment)
    else if (path.pop() === undefined) isInside = false
  }
  if (isInside && path.length > 0 && path.every((one) => SEGMENT.test(one))) return path.join('/')
  throw fault(
    'tar-entry-refused',
    `${JSON.stringify(name)} is a link to ${JSON.stringify(entry.linkTo.slice(0, 100))}, which is outside the archive`,
    'pack the files that links lead to: tar --dereference',
  )
}

/** Bytes in the order in which they arrive, in whatever pieces. */
class ByteInput {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  /** At least one byte and at most `most`. */
  async some(most: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#iterator.next()
      if (done === true) throw broken('the archive ends in the middle')
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    const chunk = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(chunk.length)
    return chunk
  }

  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = count; left > 0; ) {
      const part = await this.some(left)
      parts.push(part)
      left -= part.length
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.some(left)).length
  }

  async close(): Promise<void> {
    await this.#iterator.return?.()
  }

  async drain(): Promise<void> {
    this.#rest = Buffer.alloc(0)
    while ((await this.#iterator.next()).done !== true);
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

function broken(detail: string): ImageFault {
  return fault('tar-broken', detail, 'pack it anew: tar -C DIRECTORY -chf FILE .')
}

function fault(code: string, detail: string, cure: string): ImageFault {
  return new ImageFault(code, detail, cure)
}
