import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Image } from '../../model/image.ts'
import type { BlobStore } from './blob-store.ts'
import { checkFound } from './check-parts.ts'
import { type DescribedImage, describeImage } from './describe-image.ts'
import { ImageFault } from './image-fault.ts'
import {
  type ExplicitFiles,
  explicitSet,
  type FoundSet,
  readImageDirectory,
  readRegularFile,
} from './read-image-directory.ts'
import type { StagedImport, TakenFile } from './staged-import.ts'
import { unpackImage } from './unpack-image.ts'

/** Where a set comes from: a directory or tarball of this server's disk, files named one by one, or bytes that arrive. */
export type ImageSource =
  | { readonly kind: 'path'; readonly path: string; readonly script?: string }
  | { readonly kind: 'files'; readonly files: ExplicitFiles }
  | { readonly kind: 'archive'; readonly archive: AsyncIterable<Uint8Array>; readonly script?: string }

export interface ImportWish {
  readonly source: ImageSource
  readonly maxBytes: number
  /** Aborted, the import ends at the next piece with the signal's reason. */
  readonly stop?: AbortSignal
}

/**
 * Takes a set in: copies its files, hashing what is written, syncs them, checks by their bytes that they belong
 * together, and puts them into place. Only then is `record` called, which makes the set known; whatever fails or is
 * killed before leaves nothing that could be offered.
 *
 * @throws ImageFault
 */
export async function importImage<Result>(
  blobs: BlobStore,
  wish: ImportWish,
  record: (image: DescribedImage) => Promise<Result>,
): Promise<Result> {
  const staged = await blobs.stage(wish.stop)
  try {
    const { parts, taken } = await takeSet(staged, wish)
    const image = describeImage(parts, taken)
    const release = blobs.pin(image.files.map((file) => file.sha256))
    try {
      const names = [parts.kernel, parts.initrd, ...(parts.squashfs === undefined ? [] : [parts.squashfs])]
      await blobs.place([...new Map(names.map((name) => [taken(name).sha256, taken(name)])).values()])
      return await record(image)
    } finally {
      release()
    }
  } finally {
    await staged.discard()
  }
}

/** The whole of an image's bytes. */
export function imageBytes(image: Pick<Image, 'files'>): number {
  return image.files.reduce((sum, file) => sum + file.bytes, 0)
}

async function takeSet(staged: StagedImport, { source, maxBytes }: ImportWish) {
  switch (source.kind) {
    case 'archive':
      return unpackImage(source.archive, staged, { maxBytes, ...scriptOf(source) })
    case 'files':
      return takeFound(staged, await explicitSet(source.files), maxBytes)
    case 'path': {
      if (await isDirectory(source.path))
        return takeFound(staged, await readImageDirectory(source.path, source.script), maxBytes)
      return unpackImage(readRegularFile(source.path), staged, { maxBytes, ...scriptOf(source) })
    }
  }
}

async function takeFound(staged: StagedImport, { parts, pathOf }: FoundSet, maxBytes: number) {
  await checkFound({ parts, pathOf })
  const files = new Map<string, TakenFile>()
  for (const name of [parts.kernel, parts.initrd, parts.squashfs]) {
    if (name === undefined || files.has(name)) continue
    files.set(name, await staged.take(path.basename(pathOf(name)), readRegularFile(pathOf(name)), maxBytes))
  }
  const taken = (name: string): TakenFile => {
    const file = files.get(name)
    if (file === undefined) throw new Error(`${name} was not taken`)
    return file
  }
  return { parts, taken }
}

function scriptOf({ script }: { readonly script?: string }): { readonly script?: string } {
  return script === undefined ? {} : { script }
}

async function isDirectory(target: string): Promise<boolean> {
  try {
    return (await stat(target)).isDirectory()
  } catch (cause) {
    const detail = `${target} cannot be read (${(cause as NodeJS.ErrnoException).code})`
    throw new ImageFault('path-unreadable', detail, 'name a directory or a tarball', 422, cause)
  }
}
