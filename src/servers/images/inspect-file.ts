import { open } from 'node:fs/promises'
import type { ImageFile } from '../../model/image.ts'
import type { FileHasher } from '../files/file-hasher.ts'

/** Reads a stored file whole, off the main thread, and says what is wrong with it; undefined: it is what was imported. */
export async function inspectFile(
  hasher: FileHasher,
  target: string,
  expected: Pick<ImageFile, 'bytes' | 'sha256'>,
): Promise<string | undefined> {
  try {
    const handle = await open(target, 'r')
    try {
      const { size } = await handle.stat()
      if (size !== expected.bytes) return `has ${size} bytes, ${expected.bytes} were imported`
      const { sha256, before, after, error } = await hasher.hash(handle.fd)
      if (error !== undefined) return `cannot be read (${error})`
      if (before !== after) return 'is being written to'
      if (sha256 === expected.sha256) return undefined
      return `has sha256 ${sha256?.slice(0, 12)}…, imported was ${expected.sha256.slice(0, 12)}…`
    } finally {
      await handle.close()
    }
  } catch (error) {
    return `cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`
  }
}
