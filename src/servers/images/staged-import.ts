import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { MAGIC_BYTES } from '../../model/image-magic.ts'
import { freeSpaceFault } from '../../policy/free-space.ts'
import type { FileHasher } from '../files/file-hasher.ts'
import { ImageFault } from './image-fault.ts'

/** A file that was taken in whole: written, synced, and hashed as it lies there. */
export interface TakenFile {
  /** What it is called where it comes from. */
  readonly name: string
  readonly bytes: number
  readonly sha256: string
  /** Its first bytes, for the checks of what it is. */
  readonly head: Uint8Array
  readonly stagedAt: string
}

const LOOK_AT_DISK_EVERY_BYTES = 16 * 1024 * 1024
const READ_ONLY = 0o444

/** A directory of its own in which one import gathers its files; discarded when it ends, however it ends. */
export class StagedImport {
  readonly #directory: string
  readonly #freeBytes: () => Promise<number>
  readonly #hasher: FileHasher
  readonly #stop: AbortSignal | undefined
  #count = 0
  #total = 0

  constructor(
    directory: string,
    freeBytes: () => Promise<number>,
    hasher: FileHasher,
    stop: AbortSignal | undefined,
  ) {
    this.#directory = directory
    this.#stop = stop
    this.#hasher = hasher
    this.#freeBytes = freeBytes
  }

  /**
   * Writes and syncs one file, and hashes it meanwhile in a thread of its own: DHCP waits for neither.
   *
   * @param check is given the first bytes as soon as they are there, and throws where nothing more need be taken.
   * @throws ImageFault `disk-full` or `image-too-large`
   */
  async take(
    name: string,
    source: AsyncIterable<Uint8Array>,
    maxTotalBytes: number,
    check: (head: Uint8Array) => void = () => undefined,
  ): Promise<TakenFile> {
    const part = path.join(this.#directory, `${++this.#count}.part`)
    const head = Buffer.alloc(MAGIC_BYTES)
    let bytes = 0
    let looked = Number.NEGATIVE_INFINITY
    let sha256: string
    const handle = await open(part, 'wx+', 0o600)
    try {
      for await (const chunk of source) {
        this.#stop?.throwIfAborted()
        if (bytes - looked >= LOOK_AT_DISK_EVERY_BYTES) {
          await this.#demandSpace()
          looked = bytes
        }
        if (bytes < head.length) Buffer.from(chunk).copy(head, bytes)
        this.#total += chunk.length
        if (this.#total > maxTotalBytes) throw tooLarge(maxTotalBytes)
        await writeAll(handle, chunk)
        const isBegun = bytes < head.length
        bytes += chunk.length
        if (isBegun && bytes >= head.length) check(head)
      }
      if (bytes < head.length) check(head.subarray(0, bytes))
      await handle.chmod(READ_ONLY)
      this.#stop?.throwIfAborted()
      sha256 = await this.#hashAndSync(handle)
    } catch (error) {
      // The thread that hashed may have been ended with everything else.
      this.#stop?.throwIfAborted()
      throw asFault(error)
    } finally {
      await handle.close()
    }
    const stagedAt = path.join(this.#directory, sha256)
    await rename(part, stagedAt)
    return { name, bytes, sha256, head: head.subarray(0, Math.min(bytes, head.length)), stagedAt }
  }

  async #hashAndSync(handle: FileHandle): Promise<string> {
    // Both to their end, whichever fails: the thread reads by the descriptor that is closed afterwards.
    const [hashed, synced] = await Promise.allSettled([this.#hasher.hash(handle.fd), handle.sync()])
    if (synced.status === 'rejected') throw synced.reason
    if (hashed.status === 'rejected') throw hashed.reason
    const { sha256, error } = hashed.value
    if (sha256 === undefined) throw new Error(`a staged file was not hashed: ${error}`)
    return sha256
  }

  /** The text of a small file that was taken. */
  async textOf(file: TakenFile): Promise<string> {
    if (file.bytes > 64 * 1024)
      throw new ImageFault(
        'script-too-long',
        `${file.name} has ${file.bytes} bytes, want at most 65536`,
        'is it a script at all?',
      )
    return readFile(file.stagedAt, 'utf8')
  }

  async discard(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #demandSpace(): Promise<void> {
    const fault = freeSpaceFault(await this.#freeBytes())
    if (fault !== undefined) throw new ImageFault(fault.code, fault.detail, fault.cure, 507)
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at)
    at += bytesWritten
  }
}

function tooLarge(maxBytes: number): ImageFault {
  return new ImageFault(
    'image-too-large',
    `the set has more than ${Math.floor(maxBytes / 1024 / 1024)} MiB`,
    'import only the set itself, or raise images.max_set_mib',
  )
}

function asFault(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  const detail = 'the data disk is full; nothing was imported'
  return new ImageFault('disk-full', detail, 'free space on the data disk: pilotlight image gc', 507, error)
}
