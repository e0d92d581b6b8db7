/** The size of a chunk, and of the buffers that are used again and again. */
export const CHUNK_BYTES = 256 * 1024

/** A chunk that somebody is sending; its bytes stay as they are until it is released. */
export interface PinnedChunk {
  readonly bytes: Uint8Array
  release(): void
}

interface Chunk {
  readonly key: string
  readonly buffer: Buffer
  readonly length: number
  /** Undefined once it is filled. */
  filling: Promise<void> | undefined
  pins: number
}

/**
 * The hot cache: chunks of files by content and place, shared by all machines of a storm, in buffers that are used
 * again. What is kept beyond those being sent is bounded; of several that ask for a chunk at once one reads it. With
 * no room at all chunks are shared while they are being sent, and the buffers used again.
 */
export class ChunkCache {
  readonly #maxChunks: number
  /** The one asked for last stands last. */
  readonly #chunks = new Map<string, Chunk>()
  readonly #free: Buffer[] = []
  #allocated = 0
  /** Chunks that are being sent. */
  #pinned = 0
  hits = 0
  misses = 0

  constructor(maxBytes: number) {
    this.#maxChunks = Math.floor(maxBytes / CHUNK_BYTES)
  }

  /** Bytes of all buffers that there are. */
  get bytes(): number {
    return this.#allocated * CHUNK_BYTES
  }

  /** A chunk that is there, at once; undefined when it must be read. */
  take(key: string): PinnedChunk | undefined {
    const chunk = this.#chunks.get(key)
    if (chunk === undefined || chunk.filling !== undefined) return undefined
    this.hits += 1
    return this.#pin(chunk)
  }

  /** As `take`, of a chunk beyond the one that a stream needs: only while most of the cache is nobody's. */
  takeSpare(key: string): PinnedChunk | undefined {
    return this.#pinned * 2 < this.#maxChunks ? this.take(key) : undefined
  }

  /** A chunk that is there or is read now. Rejects with what `read` rejects with; then nothing is kept. */
  async fetch(key: string, length: number, read: (into: Uint8Array) => Promise<void>): Promise<PinnedChunk> {
    let chunk = this.#chunks.get(key)
    if (chunk === undefined) {
      this.misses += 1
      chunk = { key, buffer: this.#buffer(), length, filling: undefined, pins: 0 }
      chunk.filling = this.#fill(chunk, read)
      this.#chunks.set(key, chunk)
    } else {
      this.hits += 1
    }
    const pinned = this.#pin(chunk)
    try {
      await chunk.filling
      return pinned
    } catch (error) {
      pinned.release()
      throw error
    }
  }

  async #fill(chunk: Chunk, read: (into: Uint8Array) => Promise<void>): Promise<void> {
    try {
      await read(chunk.buffer.subarray(0, chunk.length))
      chunk.filling = undefined
    } catch (error) {
      if (this.#chunks.get(chunk.key) === chunk) this.#chunks.delete(chunk.key)
      throw error
    }
  }

  #pin(chunk: Chunk): PinnedChunk {
    if (chunk.pins === 0) this.#pinned += 1
    chunk.pins += 1
    this.#chunks.delete(chunk.key)
    this.#chunks.set(chunk.key, chunk)
    let isReleased = false
    return {
      bytes: chunk.buffer.subarray(0, chunk.length),
      release: () => {
        if (isReleased) return
        isReleased = true
        this.#unpin(chunk)
      },
    }
  }

  #unpin(chunk: Chunk): void {
    chunk.pins -= 1
    if (chunk.pins > 0) return
    this.#pinned -= 1
    const isKept = this.#chunks.get(chunk.key) === chunk
    if (isKept && this.#chunks.size <= this.#maxChunks) return
    if (isKept) this.#chunks.delete(chunk.key)
    this.#giveBack(chunk.buffer)
  }

  #buffer(): Buffer {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#chunks.size >= this.#maxChunks) {
      for (const [key, chunk] of this.#chunks) {
        if (chunk.pins > 0) continue
        this.#chunks.delete(key)
        return chunk.buffer
      }
    }
    this.#allocated += 1
    return Buffer.allocUnsafeSlow(CHUNK_BYTES)
  }

  #giveBack(buffer: Buffer): void {
    // A few are kept for the next readers; what a storm needed beyond that goes back to the system.
    if (this.#chunks.size + this.#free.length < Math.max(this.#maxChunks, 16)) this.#free.push(buffer)
    else this.#allocated -= 1
  }
}
