import type { ServerResponse } from 'node:http'
import type { VerifiedFile } from '../files/verified-files.ts'
import type { ByteRange } from './byte-range.ts'
import { CHUNK_BYTES, type ChunkCache, type PinnedChunk } from './chunk-cache.ts'
import { PoolWriter } from './pool-writer.ts'
import type { Turns } from './turns.ts'

/** What is sent, in order: texts as they are, and runs of the file. */
export type BodyPart = string | ByteRange

/** How slow a reader may be. */
export interface ReaderPatience {
  /** In each such time … */
  readonly windowMs: number
  /** … at least this much must have gone out, else the connection is cut: it holds a place that others wait for. */
  readonly minBytes: number
}

export interface StreamParts {
  readonly response: ServerResponse
  /** Opened at the first chunk that the cache does not hold. */
  readonly open: () => Promise<VerifiedFile>
  readonly fileBytes: number
  readonly sha256: string
  readonly body: readonly BodyPart[]
  readonly cache: ChunkCache
  readonly turns: Turns
  readonly patience: ReaderPatience
  /** Called once in each window in which bytes moved. */
  readonly onMoving: () => void
}

export interface StreamEnd {
  /** Bytes of the file that were handed to the kernel. */
  readonly bytes: number
  readonly isWhole: boolean
  /** Why it broke off, where it did. */
  readonly error?: Error
}

/** A MiB in one call costs a quarter of the ways between threads, and is still a fair slice. */
const MAX_CHUNKS_AT_ONCE = 4

/** Sends parts of a file: one chunk in flight, one step a turn. */
export class FileStream {
  readonly #parts: StreamParts
  readonly #resolve: (end: StreamEnd) => void
  readonly ended: Promise<StreamEnd>
  #partIndex = 0
  #position = 0
  #sentBytes = 0
  #sentInWindow = 0
  #file: VerifiedFile | undefined
  #isReading = false
  readonly #pinned: PinnedChunk[] = []
  #writer: PoolWriter | undefined
  #timer: NodeJS.Timeout
  #isOver = false
  #error: Error | undefined

  constructor(parts: StreamParts) {
    this.#parts = parts
    let resolve: (end: StreamEnd) => void = () => undefined
    this.ended = new Promise((done) => {
      resolve = done
    })
    this.#resolve = resolve
    const { response, patience } = parts
    this.#timer = setInterval(() => this.#look(), patience.windowMs)
    response.once('close', () => {
      // What another thread writes just now may be the rest of it: that write says how it ended.
      if (this.#writer?.isWriting !== true) this.#finish()
    })
    response.once('error', (error) => this.#fail(error))
    // A reader that hung up while the file was opened has closed already: nobody would tell of it a second time.
    if (response.destroyed) this.#finish()
    else this.#begin()
  }

  #begin(): void {
    const part = this.#parts.body[this.#partIndex]
    if (part === undefined) return this.#endResponse()
    if (typeof part !== 'string') this.#position = part.first
    this.#parts.turns.next(() => this.#step())
  }

  #step(): void {
    if (this.#isOver) return
    const part = this.#parts.body[this.#partIndex]
    if (part === undefined) return this.#endResponse()
    if (typeof part === 'string') {
      this.#parts.response.write(part, 'latin1', (error) => {
        if (error !== undefined && error !== null) return this.#fail(error)
        this.#partIndex += 1
        this.#begin()
      })
      return
    }
    const { cache, sha256, fileBytes } = this.#parts
    const index = Math.floor(this.#position / CHUNK_BYTES)
    const key = `${sha256} ${index}`
    const ready = cache.take(key)
    if (ready !== undefined) return this.#write(ready, index, part)
    const start = index * CHUNK_BYTES
    const length = Math.min(CHUNK_BYTES, fileBytes - start)
    cache
      .fetch(key, length, (into) => this.#read(into, start))
      .then(
        (chunk) => {
          if (this.#isOver) return chunk.release()
          this.#parts.turns.next(() => {
            if (this.#isOver) chunk.release()
            else this.#write(chunk, index, part)
          })
        },
        (error: Error) => this.#fail(error),
      )
  }

  /** Reads for all who wait for the chunk: a reader that hangs up meanwhile takes it from nobody. */
  async #read(into: Uint8Array, start: number): Promise<void> {
    this.#isReading = true
    try {
      this.#file ??= await this.#parts.open()
      await this.#file.read(into, start)
    } finally {
      this.#isReading = false
      if (this.#isOver) this.#file?.close()
    }
  }

  #write(first: PinnedChunk, index: number, part: ByteRange): void {
    this.#pinned.push(first)
    const slices = [this.#slice(first, index, part)]
    // The head may still wait in Node's own queue before the first chunk.
    if (this.#sentBytes > 0) this.#writer ??= PoolWriter.of(this.#parts.response)
    for (let more = 1; more < MAX_CHUNKS_AT_ONCE && this.#writer !== undefined; more += 1) {
      if ((index + more) * CHUNK_BYTES > part.last) break
      const next = this.#parts.cache.takeSpare(`${this.#parts.sha256} ${index + more}`)
      if (next === undefined) break
      this.#pinned.push(next)
      slices.push(this.#slice(next, index + more, part))
    }
    const bytes = slices.reduce((sum, { length }) => sum + length, 0)
    const sent = (error: Error | null | undefined) => {
      // From here on the kernel has it, and the buffers are free for others.
      this.#release()
      if (error !== undefined && error !== null) return this.#fail(error)
      this.#sentBytes += bytes
      this.#sentInWindow += bytes
      this.#position += bytes
      if (this.#position > part.last) this.#partIndex += 1
      if (this.#parts.response.destroyed) return this.#finish()
      if (this.#position <= part.last) return this.#parts.turns.next(() => this.#step())
      this.#begin()
    }
    if (this.#writer !== undefined) this.#writer.write(slices, sent)
    else this.#parts.response.write(slices[0], sent)
  }

  /** What of a chunk belongs to this part. */
  #slice({ bytes }: PinnedChunk, index: number, part: ByteRange): Uint8Array {
    const start = index * CHUNK_BYTES
    return bytes.subarray(Math.max(this.#position - start, 0), Math.min(bytes.length, part.last + 1 - start))
  }

  #release(): void {
    for (const chunk of this.#pinned.splice(0)) chunk.release()
  }

  #endResponse(): void {
    if (!this.#isOver) this.#parts.response.end()
  }

  /** Once a window: who reads too slowly is cut. */
  #look(): void {
    const moved = this.#sentInWindow
    this.#sentInWindow = 0
    if (moved > 0) this.#parts.onMoving()
    if (moved < this.#parts.patience.minBytes && !this.#parts.response.writableFinished) {
      this.#fail(new Error(`the reader took ${moved} bytes in ${this.#parts.patience.windowMs} ms`))
    }
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#parts.response.destroy()
    this.#finish()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    const { body } = this.#parts
    // A destroyed response may never call back: then nobody writes from these buffers any more either.
    if (this.#writer?.isWriting !== true) this.#release()
    if (!this.#isReading) this.#file?.close()
    // A part is passed when the kernel has it; whether the reader hung up before our end or after does not matter.
    const isWhole = this.#partIndex >= body.length
    const error = isWhole ? undefined : this.#error
    this.#resolve({ bytes: this.#sentBytes, isWhole, ...(error === undefined ? {} : { error }) })
  }
}
