import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { link, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { FileHasher } from '../files/file-hasher.ts'
import { StagedImport } from './staged-import.ts'

const SHA256 = /^[0-9a-f]{64}$/

/**
 * The images' files on disk, each once, named by the SHA-256 of its bytes: `blobs/<sha256>`. New ones are written below
 * `staging/`, synced, and linked into place, so that under its name a file is always whole.
 */
export class BlobStore {
  readonly #blobs: string
  readonly #staging: string
  readonly #root: string
  readonly #isUsed: (sha256: string) => boolean
  /** Files that a running import counts on, whether it brought them or found them here. */
  readonly #pins = new Map<string, number>()

  readonly #hasher: FileHasher

  /**
   * `isUsed` tells whether any image that is known holds the file; `hasher` hashes what is taken in, and is closed by whoever
   * made it.
   */
  constructor(root: string, isUsed: (sha256: string) => boolean, hasher: FileHasher) {
    this.#hasher = hasher
    this.#root = root
    this.#isUsed = isUsed
    this.#blobs = path.join(root, 'blobs')
    this.#staging = path.join(root, 'staging')
  }

  /** The file with these bytes. The hash comes from our own rows; anything else is a bug. */
  pathOf(sha256: string): string {
    if (!SHA256.test(sha256)) throw new Error(`${JSON.stringify(sha256.slice(0, 80))} is no SHA-256`)
    return path.join(this.#blobs, sha256)
  }

  /** Makes the directories and clears away what an import that was killed left behind. */
  async open(): Promise<{ readonly swept: number }> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o755 })
    await mkdir(this.#staging, { recursive: true, mode: 0o700 })
    const leftovers = await readdir(this.#staging)
    for (const name of leftovers) {
      const directory = path.join(this.#staging, name)
      // A file that the dead import had put into place still stands here under its hash too.
      for (const file of await readdir(directory).catch(() => [])) {
        if (SHA256.test(file) && !this.#isUsed(file)) await rm(this.pathOf(file), { force: true })
      }
      await rm(directory, { recursive: true, force: true })
    }
    return { swept: leftovers.length }
  }

  async stage(stop?: AbortSignal): Promise<StagedImport> {
    const directory = path.join(this.#staging, randomUUID())
    await mkdir(directory, { mode: 0o700 })
    return new StagedImport(directory, () => this.freeBytes(), this.#hasher, stop)
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#root)
    return bavail * bsize
  }

  /** Puts staged files into place. One that is there already is replaced by the same bytes, which mends a rotten one. */
  async place(files: readonly { readonly stagedAt: string; readonly sha256: string }[]): Promise<void> {
    for (const { stagedAt, sha256 } of files) {
      const target = this.pathOf(sha256)
      try {
        await link(stagedAt, target)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        await rename(stagedAt, target)
      }
    }
    await syncDirectory(this.#blobs)
  }

  /** Keeps files from being collected until the release, which removes those that no image came to use. */
  pin(hashes: readonly string[]): () => void {
    for (const hash of hashes) this.#pins.set(hash, (this.#pins.get(hash) ?? 0) + 1)
    return () => {
      for (const hash of hashes) {
        const left = (this.#pins.get(hash) ?? 1) - 1
        if (left > 0) this.#pins.set(hash, left)
        else {
          this.#pins.delete(hash)
          if (!this.#isUsed(hash)) rmSync(this.pathOf(hash), { force: true })
        }
      }
    }
  }

  /** Removes every file that nothing uses. The question and the removal are one turn: nothing can come between. */
  async collect(): Promise<{ files: number; bytes: number }> {
    let files = 0
    let bytes = 0
    for (const name of await readdir(this.#blobs)) {
      if (!SHA256.test(name)) continue
      const target = this.pathOf(name)
      const size = await stat(target).then(
        (found) => found.size,
        () => 0,
      )
      if (this.#pins.has(name) || this.#isUsed(name)) continue
      rmSync(target, { force: true })
      files += 1
      bytes += size
    }
    if (files > 0) await syncDirectory(this.#blobs)
    return { files, bytes }
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
