import { PassThrough, pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { BZIP2, type Decompressor, decompressedBy, XZ } from './decompress-by-program.ts'
import { ImageFault } from './image-fault.ts'

/** Gives the archive's own bytes: plain, gzip, zstd, xz or bzip2, told apart by how it begins and not by its name. */
export async function* decompressed(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    yield* decompressedFrom(iterator)
  } finally {
    await iterator.return?.()
  }
}

async function* decompressedFrom(iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Buffer = Buffer.alloc(0)
  let isDone = false
  while (head.length < 6 && !isDone) {
    const { done, value } = await iterator.next()
    if (done === true) isDone = true
    else head = Buffer.concat([head, value])
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield head
    for (; !isDone; ) {
      const { done, value } = await iterator.next()
      if (done === true) return
      yield value
    }
  }
  const decompressor = decompressorOf(head)
  if (decompressor !== undefined) return yield* decompressedBy(decompressor, all())
  const codec = codecOf(head)
  if (codec === undefined) return yield* all()
  // The error of either side ends both; it reaches the reader through the last stream.
  const out = new PassThrough()
  pipeline(Readable.from(all(), { objectMode: false }), codec, out, () => undefined)
  try {
    yield* out
  } catch (cause) {
    const code = (cause as { code?: unknown }).code
    if (typeof code !== 'string' || !/^(?:Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code)) throw cause
    const detail = `the archive cannot be decompressed (${(cause as Error).message})`
    throw new ImageFault('archive-broken', detail, 'pack it anew, and send it whole', 422, cause)
  }
}

function codecOf(head: Buffer) {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip()
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress()
  return undefined
}

/** What Node's own zlib does not know. */
function decompressorOf(head: Buffer): Decompressor | undefined {
  if (head.toString('latin1', 0, 6) === '\xfd7zXZ\x00') return XZ
  return /^BZh[1-9]/.test(head.toString('latin1', 0, 4)) ? BZIP2 : undefined
}
