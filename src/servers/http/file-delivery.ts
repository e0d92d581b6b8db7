import { type BrokenFile, VerifiedFiles, type WantedFile } from '../files/verified-files.ts'
import { ChunkCache } from './chunk-cache.ts'
import type { ReaderPatience } from './file-stream.ts'
import type { FileSender } from './send-file.ts'
import { StreamQueue } from './stream-queue.ts'
import { Turns } from './turns.ts'

/** What image bytes may take of this machine, whatever the number of machines. */
export interface DeliveryLimits {
  /** The hot cache that all machines share. */
  readonly cacheBytes: number
  /** Files streamed at once; each may hold one chunk of 256 KiB beyond the cache. */
  readonly maxStreams: number
  readonly patience: ReaderPatience
}

export const DEFAULT_DELIVERY: DeliveryLimits = {
  cacheBytes: 256 * 1024 * 1024,
  maxStreams: 256,
  // iPXE and firmware that live take more than 10 KiB a second; who does not holds a place that others wait for.
  patience: { windowMs: 60_000, minBytes: 640 * 1024 },
}

/** All that the sending of image files shares: checked files, the hot cache, turns, and the line of those who wait. */
export class FileDelivery implements FileSender {
  readonly files: VerifiedFiles
  readonly cache: ChunkCache
  readonly turns = new Turns()
  readonly patience: ReaderPatience
  readonly streams: StreamQueue

  constructor(
    limits: Partial<DeliveryLimits> = {},
    onBroken: (broken: BrokenFile, wanted: WantedFile) => void = () => undefined,
  ) {
    const { cacheBytes, maxStreams, patience } = { ...DEFAULT_DELIVERY, ...limits }
    this.files = new VerifiedFiles(onBroken)
    this.cache = new ChunkCache(cacheBytes)
    this.patience = patience
    this.streams = new StreamQueue(maxStreams)
  }

  /** A run of a file that was hashed whole first; rejects when it is not as it was imported. */
  async readAt(wanted: WantedFile, first: number, length: number): Promise<Uint8Array> {
    const file = await this.files.open(wanted)
    try {
      const bytes = new Uint8Array(length)
      await file.read(bytes, first)
      return bytes
    } finally {
      file.close()
    }
  }

  counters(): Readonly<Record<string, number>> {
    return {
      streams: this.streams.running,
      waiting: this.streams.waiting,
      cache_hits: this.cache.hits,
      cache_misses: this.cache.misses,
      cache_bytes: this.cache.bytes,
    }
  }

  async close(): Promise<void> {
    await this.files.close()
  }
}
