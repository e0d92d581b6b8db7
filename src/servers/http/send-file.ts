import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { VerifiedFile, VerifiedFiles } from '../files/verified-files.ts'
import { type ByteRange, readRanges } from './byte-range.ts'
import type { ChunkCache } from './chunk-cache.ts'
import { type BodyPart, FileStream, type ReaderPatience, type StreamEnd } from './file-stream.ts'
import { checkPreconditions, mayServeRange } from './preconditions.ts'
import type { Turns } from './turns.ts'

/** A file that never changes under its name: bytes in memory, or a path on disk. */
export interface ImmutableFile {
  readonly body: Uint8Array | { readonly path: string }
  readonly bytes: number
  /** Lower-case hex; the strong ETag. */
  readonly sha256: string
  readonly contentType: string
  readonly lastModifiedMs?: number
}

/** What file sending shares among all requests. */
export interface FileSender {
  readonly files: VerifiedFiles
  readonly cache: ChunkCache
  readonly turns: Turns
  readonly patience: ReaderPatience
}

export interface Sent {
  readonly bytes: number
  /** True when all of what was asked for went out. */
  readonly isWhole: boolean
  /** True when that was the whole file. */
  readonly isWholeFile: boolean
  readonly error?: Error
}

export interface SendHooks {
  /** Called before a body goes out; what it gives is the end of that, or undefined when the request must wait. */
  admit?(): (() => void) | undefined
  /** Answers a request that must wait. */
  onWait?(): FastifyReply
  onMoving?(): void
  onSent?(sent: Sent): void
}

/**
 * A file that takes longer to hash is asked for again. iPXE waits 120 s for a byte; EDK2 only 5 s, but it fetches loaders,
 * which lie in memory.
 */
const FIRST_BYTE_WITHIN_MS = 30_000

/**
 * Sends an immutable file: exact Content-Length, strong ETag, HEAD, one or many ranges, all conditions of RFC 9110 §13.
 * Never chunked, never compressed, never redirected: iPXE and firmware take what comes for the file itself.
 */
export async function sendFile(
  sender: FileSender,
  request: FastifyRequest,
  reply: FastifyReply,
  file: ImmutableFile,
  hooks: SendHooks = {},
): Promise<FastifyReply> {
  const lastModifiedMs = lastModifiedOf(file)
  const validators = {
    etag: `"${file.sha256}"`,
    ...(lastModifiedMs === undefined ? {} : { lastModifiedMs }),
  }
  // Only of the file itself: an error that said so would be kept for a year by whatever cache stands in front.
  const lasting = {
    etag: validators.etag,
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    ...(lastModifiedMs === undefined ? {} : { 'last-modified': new Date(lastModifiedMs).toUTCString() }),
  }
  const { headers } = request
  const condition = checkPreconditions(headers, validators)
  if (condition === 'failed') return reply.code(412).header('content-length', 0).send()
  if (condition === 'not-modified') return reply.code(304).headers(lasting).send()

  const isRanged = request.method === 'GET' && mayServeRange(headers, validators)
  const ranges = isRanged ? readRanges(headers.range, file.bytes) : 'whole'
  if (ranges === 'unsatisfiable') {
    return reply
      .code(416)
      .headers({ 'content-range': `bytes */${file.bytes}`, 'content-length': 0 })
      .send()
  }
  const wanted = file.body instanceof Uint8Array ? undefined : { ...file, path: file.body.path }
  if (request.method === 'HEAD') {
    const broken = wanted === undefined ? undefined : sender.files.brokenness(wanted)
    if (broken !== undefined) throw broken
    reply.code(200).headers({ ...lasting, 'content-length': file.bytes, 'content-type': file.contentType })
    // Past Fastify, which says Content-Length 0 of a HEAD without a body; EDK2 sizes its buffer by it.
    takeOver(reply).end()
    return reply
  }

  const leave = hooks.admit === undefined ? () => undefined : hooks.admit()
  if (leave === undefined) return hooks.onWait?.() ?? reply.code(503).header('retry-after', 5).send()
  try {
    const opened = wanted === undefined ? undefined : await openSoon(sender.files, wanted)
    if (opened === 'later') {
      return reply.code(503).header('retry-after', 2).type('text/plain').send('the file is being checked\n')
    }
    const body = bodyOf(file, ranges)
    reply.code(ranges === 'whole' ? 200 : 206).headers({ ...lasting, ...body.headers })
    const end = await stream(sender, reply, file, body.parts, opened, hooks)
    const { bytes, isWhole, error } = end
    if (error !== undefined) reply.log.warn({ err: error }, 'file not sent whole')
    hooks.onSent?.({ bytes, isWhole, isWholeFile: isWhole && ranges === 'whole', ...(error && { error }) })
  } finally {
    leave()
  }
  return reply
}

/** RFC 9110 §8.8.2.1: never later than now; the clock may have been ahead when the file was imported. */
function lastModifiedOf({ lastModifiedMs }: ImmutableFile): number | undefined {
  return lastModifiedMs === undefined ? undefined : Math.min(lastModifiedMs, Date.now())
}

/** The file, or `later` when its first check takes long; the check goes on meanwhile. */
async function openSoon(
  files: VerifiedFiles,
  wanted: Parameters<VerifiedFiles['open']>[0],
): Promise<VerifiedFile | 'later'> {
  let timer: NodeJS.Timeout | undefined
  let isLate = false
  const late = new Promise<'later'>((resolve) => {
    timer = setTimeout(() => {
      isLate = true
      resolve('later')
    }, FIRST_BYTE_WITHIN_MS)
  })
  const opening = files.open(wanted)
  opening.then(
    (file) => {
      if (isLate) file.close()
    },
    () => undefined,
  )
  try {
    return await Promise.race([opening, late])
  } finally {
    clearTimeout(timer)
  }
}

function bodyOf(
  file: ImmutableFile,
  ranges: readonly ByteRange[] | 'whole',
): { readonly headers: Record<string, string | number>; readonly parts: readonly BodyPart[] } {
  if (ranges === 'whole') {
    const parts = file.bytes === 0 ? [] : [{ first: 0, last: file.bytes - 1 }]
    return { headers: { 'content-type': file.contentType, 'content-length': file.bytes }, parts }
  }
  const [only] = ranges
  if (ranges.length === 1 && only !== undefined) {
    const headers = {
      'content-type': file.contentType,
      'content-length': only.last - only.first + 1,
      'content-range': `bytes ${only.first}-${only.last}/${file.bytes}`,
    }
    return { headers, parts: [only] }
  }
  // RFC 9110 §15.3.7.2: each part has its own head. The length is known, so that nothing need be chunked.
  const boundary = randomBytes(12).toString('hex')
  const parts: BodyPart[] = ranges.flatMap((range) => [
    `\r\n--${boundary}\r\nContent-Type: ${file.contentType}\r\n` +
      `Content-Range: bytes ${range.first}-${range.last}/${file.bytes}\r\n\r\n`,
    range,
  ])
  parts.push(`\r\n--${boundary}--\r\n`)
  const length = parts.reduce(
    (sum, part) => sum + (typeof part === 'string' ? part.length : part.last - part.first + 1),
    0,
  )
  const headers = { 'content-type': `multipart/byteranges; boundary=${boundary}`, 'content-length': length }
  return { headers, parts }
}

/** The response with its head written, out of Fastify's hands. */
function takeOver(reply: FastifyReply): FastifyReply['raw'] {
  reply.hijack()
  const response = reply.raw
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value)
  return response.writeHead(reply.statusCode)
}

/** Writes head and body past Fastify, which would wrap every chunk. */
async function stream(
  sender: FileSender,
  reply: FastifyReply,
  file: ImmutableFile,
  parts: readonly BodyPart[],
  opened: VerifiedFile | undefined,
  hooks: SendHooks,
): Promise<StreamEnd> {
  const response = takeOver(reply)
  response.flushHeaders()
  if (file.body instanceof Uint8Array) return sendFromMemory(response, file.body, parts, sender.patience)
  let unused = opened
  const { path } = file.body
  const streaming = new FileStream({
    response,
    open: async () => {
      const first = unused
      unused = undefined
      return first ?? sender.files.open({ ...file, path })
    },
    fileBytes: file.bytes,
    sha256: file.sha256,
    body: parts,
    cache: sender.cache,
    turns: sender.turns,
    patience: sender.patience,
    onMoving: () => hooks.onMoving?.(),
  })
  const end = await streaming.ended
  unused?.close()
  return end
}

/** Loaders lie in memory whole; the kernel and Node keep what the reader has not taken yet. */
function sendFromMemory(
  response: FastifyReply['raw'],
  bytes: Uint8Array,
  parts: readonly BodyPart[],
  patience: ReaderPatience,
): Promise<StreamEnd> {
  response.setTimeout(patience.windowMs, () => response.destroy())
  return new Promise((resolve) => {
    let sent = 0
    for (const part of parts) {
      if (typeof part === 'string') response.write(part, 'latin1')
      else {
        response.write(bytes.subarray(part.first, part.last + 1))
        sent += part.last - part.first + 1
      }
    }
    const done = () =>
      resolve({ bytes: response.writableFinished ? sent : 0, isWhole: response.writableFinished })
    if (response.destroyed) return done()
    response.once('finish', done)
    response.once('close', done)
    response.end()
  })
}
