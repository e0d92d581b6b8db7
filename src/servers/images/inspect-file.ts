import { open, stat } from 'node:fs/promises'
import type { ImageFile } from '../../model/image.ts'
import type { FileHasher } from '../files/file-hasher.ts'
import { MOST_LOOKS, signatureOf } from '../files/file-signature.ts'
import { isOutOfDescriptors } from '../files/out-of-descriptors.ts'

/** What one look found; `isSteady`: the file under the name was the same from its beginning to its end. */
interface Look {
  readonly isSteady: boolean
  readonly fault?: string
}

type Expected = Pick<ImageFile, 'bytes' | 'sha256'>

/**
 * Reads a stored file whole, off the main thread, and says what is wrong with it; undefined: it is what was imported. An
 * import puts the same bytes there anew: a file that was replaced meanwhile is read again.
 *
 * @throws when this process has no descriptor left, which says nothing about the file.
 */
export async function inspectFile(
  hasher: FileHasher,
  target: string,
  expected: Expected,
): Promise<string | undefined> {
  try {
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      const { isSteady, fault } = await look(hasher, target, expected)
      if (isSteady) return fault
    }
    return 'is being written to'
  } catch (error) {
    if (isOutOfDescriptors(error)) throw error
    return `cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`
  }
}

async function look(hasher: FileHasher, target: string, expected: Expected): Promise<Look> {
  const handle = await open(target, 'r')
  try {
    const { size } = await handle.stat()
    if (size !== expected.bytes)
      return { isSteady: true, fault: `has ${size} bytes, ${expected.bytes} were imported` }
    const { sha256, before, after, error } = await hasher.hash(handle.fd)
    if (error !== undefined) return { isSteady: true, fault: `cannot be read (${error})` }
    const isSteady = before === after && after === signatureOf(await stat(target, { bigint: true }))
    if (sha256 === expected.sha256) return { isSteady }
    return {
      isSteady,
      fault: `has sha256 ${sha256?.slice(0, 12)}…, imported was ${expected.sha256.slice(0, 12)}…`,
    }
  } finally {
    await handle.close()
  }
}
