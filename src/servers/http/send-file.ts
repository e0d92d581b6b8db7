import { type FileHandle, open } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ByteRange, readRange } from './byte-range.ts'

/** A file that never changes under its name: bytes in memory, or a path on disk. */
export interface ImmutableFile {
  readonly body: Uint8Array | { readonly path: string }
  readonly bytes: number
  /** Lower-case hex; the strong ETag. */
  readonly sha256: string
  readonly contentType: string
  readonly lastModifiedMs?: number
}

export interface Sent {
  readonly bytes: number
  /** True when all of what was asked for went out. */
  readonly isWhole: boolean
  /** True when that was the whole file. */
  readonly isWholeFile: boolean
}

const CHUNK_BYTES = 256 * 1024
const STALLED_AFTER_MS = 120_000

/**
 * Sends an immutable file: exact Content-Length, strong ETag, HEAD, Range with If-Range, If-Match and If-None-Match.
 * Never chunked, never compressed, never redirected: iPXE and firmware take what comes for the file itself.
 */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: ImmutableFile,
  onSent: (sent: Sent) => void = () => undefined,
): Promise<FastifyReply> {
  const etag = `"${file.sha256}"`
  reply.headers({
    etag,
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-type': file.contentType,
    ...(file.lastModifiedMs === undefined
      ? {}
      : { 'last-modified': new Date(file.lastModifiedMs).toUTCString() }),
  })
  const { headers } = request
  if (headers['if-match'] !== undefined && !matches(headers['if-match'], etag)) {
    return reply.code(412).header('content-length', 0).send()
  }
  if (headers['if-none-match'] !== undefined && matches(headers['if-none-match'], etag)) {
    return reply.code(304).send()
  }
  const usesRange = headers['if-range'] === undefined || headers['if-range'] === etag
  const range = usesRange ? readRange(headers.range, file.bytes) : 'whole'
  if (range === 'unsatisfiable') {
    return reply
      .code(416)
      .headers({ 'content-range': `bytes */${file.bytes}`, 'content-length': 0 })
      .send()
  }
  const run = range === 'whole' ? { first: 0, last: file.bytes - 1 } : range
  const length = run.last - run.first + 1
  reply.code(range === 'whole' ? 200 : 206).header('content-length', length)
  if (range !== 'whole') reply.header('content-range', `bytes ${run.first}-${run.last}/${file.bytes}`)
  if (request.method === 'HEAD') return reply.send()
  return sendBody(reply, file, run, range === 'whole', onSent)
}

async function sendBody(
  reply: FastifyReply,
  file: ImmutableFile,
  run: ByteRange,
  isWholeFile: boolean,
  onSent: (sent: Sent) => void,
): Promise<FastifyReply> {
  const { body } = file
  let handle: FileHandle | undefined
  if (!(body instanceof Uint8Array)) {
    // Checked before the first byte: a file that was cut or replaced under us must not go out as the image that it was.
    handle = await open(body.path, 'r')
    const { size } = await handle.stat()
    if (size !== file.bytes) {
      await handle.close()
      throw new Error(`${body.path} has ${size} bytes, ${file.bytes} were imported`)
    }
  }
  reply.hijack()
  const response = reply.raw
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value)
  response.writeHead(reply.statusCode)
  const cutter = cutWhenStalled(response)
  let sent = 0
  try {
    for (let at = run.first; at <= run.last && !response.destroyed; ) {
      const length = Math.min(CHUNK_BYTES, run.last - at + 1)
      const chunk =
        handle === undefined
          ? (body as Uint8Array).subarray(at, at + length)
          : await readChunk(handle, at, length)
      if (!response.write(chunk)) await drained(response)
      cutter.moved()
      at += length
      sent += length
    }
    await ended(response)
  } catch (error) {
    response.destroy()
    reply.log.warn({ err: error }, 'file not sent whole')
  } finally {
    cutter.stop()
    await handle?.close()
  }
  const isWhole = sent === run.last - run.first + 1 && response.writableFinished
  onSent({ bytes: sent, isWhole, isWholeFile: isWhole && isWholeFile })
  return reply
}

async function readChunk(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new Error('the file became shorter while it was sent')
    filled += bytesRead
  }
  return buffer
}

/** Resolves when the last byte was handed to the kernel, or the reader has gone. */
function ended(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('finish', resolve)
    response.once('close', resolve)
    response.end()
  })
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
    if (response.destroyed) done()
  })
}

/** Destroys a connection whose reader took nothing for two minutes: it holds a descriptor and a buffer for nobody. */
function cutWhenStalled(response: ServerResponse): { moved(): void; stop(): void } {
  const timer = setTimeout(() => response.destroy(), STALLED_AFTER_MS)
  return { moved: () => timer.refresh(), stop: () => clearTimeout(timer) }
}

function matches(header: string, etag: string): boolean {
  return header.trim() === '*' || header.split(',').some((candidate) => candidate.trim() === etag)
}
