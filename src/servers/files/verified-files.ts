import { fstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { FileHasher } from './file-hasher.ts'
import { MOST_LOOKS, signatureOf } from './file-signature.ts'
import { isOutOfDescriptors } from './out-of-descriptors.ts'

/** A file as it was imported: what it must be, byte for byte. */
export interface WantedFile {
  readonly path: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** A file that is not what was imported, or cannot be read. */
export class BrokenFile extends Error {
  readonly code = 'file-broken'
  readonly path: string
  constructor(path: string, why: string) {
    super(`${path} ${why}`)
    this.path = path
  }
}

type Verdict = { readonly signature: string } | { readonly broken: BrokenFile }

/**
 * Files of which not one wrong byte goes out: each was hashed whole, off the main thread, before its first byte is
 * served, and is hashed again as soon as its signature is another one.
 */
export class VerifiedFiles {
  readonly #verdicts = new Map<string, Verdict>()
  readonly #running = new Map<string, Promise<Verdict>>()
  readonly #hasher = new FileHasher()
  readonly #onBroken: (broken: BrokenFile, wanted: WantedFile) => void

  constructor(onBroken: (broken: BrokenFile, wanted: WantedFile) => void = () => undefined) {
    this.#onBroken = onBroken
  }

  /**
   * Opens a file that is as it was imported. The first time it takes as long as hashing it.
   *
   * @throws BrokenFile
   */
  async open(wanted: WantedFile): Promise<VerifiedFile> {
    let handle: FileHandle
    try {
      handle = await open(wanted.path, 'r')
    } catch (error) {
      if (isOutOfDescriptors(error)) throw error
      throw this.#note(wanted, `cannot be opened: ${(error as NodeJS.ErrnoException).code}`)
    }
    try {
      await this.#verify(handle, wanted)
      return new VerifiedFile(handle, wanted, () => this.#verify(handle, wanted))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** What is known to be wrong with a file, without looking again. */
  brokenness(wanted: WantedFile): BrokenFile | undefined {
    const verdict = this.#verdicts.get(keyOf(wanted))
    return verdict !== undefined && 'broken' in verdict ? verdict.broken : undefined
  }

  async close(): Promise<void> {
    await this.#hasher.close()
  }

  async #verify({ fd }: FileHandle, wanted: WantedFile): Promise<string> {
    const key = keyOf(wanted)
    for (;;) {
      const signature = signatureOf(fstatSync(fd, { bigint: true }))
      const known = this.#verdicts.get(key)
      if (known !== undefined && 'signature' in known && known.signature === signature) return signature
      let running = this.#running.get(key)
      const isOurs = running === undefined
      if (running === undefined) {
        running = this.#hash(fd, wanted).finally(() => this.#running.delete(key))
        this.#running.set(key, running)
      }
      const verdict = await running
      this.#verdicts.set(key, verdict)
      // Another's look may have been at the file that stood there before.
      if ('broken' in verdict) {
        if (isOurs) throw verdict.broken
        continue
      }
      if (isOurs) return verdict.signature
    }
  }

  async #hash(fd: number, wanted: WantedFile): Promise<Verdict> {
    const { size } = fstatSync(fd)
    if (size !== wanted.bytes)
      return { broken: this.#note(wanted, `has ${size} bytes, ${wanted.bytes} were imported`) }
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      const { sha256, before, after, error } = await this.#hasher.hash(fd)
      if (error !== undefined) return { broken: this.#note(wanted, `cannot be read: ${error}`) }
      if (sha256 !== wanted.sha256) {
        const why = `has sha256 ${sha256?.slice(0, 12)}…, ${wanted.sha256.slice(0, 12)}… was imported`
        return { broken: this.#note(wanted, why) }
      }
      // An import that brings the same bytes takes the file's place, which changes the signature and no byte.
      if (before !== undefined && before === after) return { signature: before }
    }
    return { broken: this.#note(wanted, 'is being written to') }
  }

  #note(wanted: WantedFile, why: string): BrokenFile {
    const broken = new BrokenFile(wanted.path, why)
    this.#verdicts.set(keyOf(wanted), { broken })
    this.#onBroken(broken, wanted)
    return broken
  }
}

/** One open file; whoever opened it closes it. */
export class VerifiedFile {
  readonly #handle: FileHandle
  readonly #wanted: WantedFile
  readonly #verify: () => Promise<string>
  #signature: string | undefined

  constructor(handle: FileHandle, wanted: WantedFile, verify: () => Promise<string>) {
    this.#handle = handle
    this.#wanted = wanted
    this.#verify = verify
  }

  /**
   * Fills the buffer from a position. What it gives was in the file while it was as imported: the signature is looked
   * at after the read, and a file that was touched is hashed again first.
   *
   * @throws BrokenFile
   */
  async read(buffer: Uint8Array, position: number): Promise<void> {
    for (;;) {
      this.#signature ??= await this.#verify()
      for (let filled = 0; filled < buffer.length; ) {
        const { bytesRead } = await this.#handle.read(
          buffer,
          filled,
          buffer.length - filled,
          position + filled,
        )
        if (bytesRead === 0) break
        filled += bytesRead
        if (filled === buffer.length && this.#isAsVerified()) return
      }
      if (buffer.length === 0) return
      this.#signature = undefined
    }
  }

  close(): void {
    void this.#handle.close().catch(() => undefined)
  }

  #isAsVerified(): boolean {
    return signatureOf(fstatSync(this.#handle.fd, { bigint: true })) === this.#signature
  }

  get wanted(): WantedFile {
    return this.#wanted
  }
}

function keyOf({ path, sha256 }: WantedFile): string {
  return `${sha256} ${path}`
}
