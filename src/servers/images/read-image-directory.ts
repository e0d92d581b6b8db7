import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readFile, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { choosePartsOf, type ImageParts, isSetFault, scriptNameAmong } from '../../model/image-set.ts'
import { isNetbootFault, setOf } from '../../model/netboot-script.ts'
import { ImageFault, unreadable } from './image-fault.ts'

/** The files of a set by the names that the set has for them, and where they lie. */
export interface FoundSet {
  readonly parts: ImageParts
  pathOf(name: string): string
}

/** Files that were named one by one instead of by a script. */
export interface ExplicitFiles {
  readonly kernel: string
  readonly initrd: string
  readonly squashfs?: string
  readonly init: string
  readonly parameters: readonly string[]
}

const READ_BYTES = 256 * 1024
const MAX_NAMES = 4096

/**
 * Looks at a directory as a build left it. Links are followed, but only to regular files: a NixOS result is a directory
 * of links into its store.
 *
 * @throws ImageFault
 */
export async function readImageDirectory(directory: string, wishedScript?: string): Promise<FoundSet> {
  const names = await regularFiles(directory)
  const scriptName = demand(scriptNameAmong(names, wishedScript))
  const script = path.join(directory, scriptName)
  if ((await stat(script)).size > 64 * 1024)
    throw new ImageFault('script-too-long', `${script} is over 64 KiB`, 'is it a script at all?')
  const text = await readFile(script, 'utf8').catch((cause) => {
    throw unreadable(script, cause)
  })
  const parts = demand(choosePartsOf(names, scriptName, text))
  return { parts, pathOf: (name) => path.join(directory, name) }
}

/** The set that explicit files make; its rules are those of a script. */
export async function explicitSet(files: ExplicitFiles): Promise<FoundSet> {
  const named = [files.kernel, files.initrd, ...(files.squashfs === undefined ? [] : [files.squashfs])]
  for (const file of named) {
    if (!(await isRegularFile(file)))
      throw new ImageFault('file-missing', `${file} is no regular file`, 'name the file itself')
  }
  const script = setOf('kernel', 'initrd', 'initrd', [`init=${files.init}`, ...files.parameters])
  if (isNetbootFault(script)) throw new ImageFault(script.code, script.detail, 'check --init and --params')
  const paths = { kernel: files.kernel, initrd: files.initrd, squashfs: files.squashfs ?? '' }
  return {
    parts: { ...script, ...(files.squashfs === undefined ? {} : { squashfs: 'squashfs' }) },
    pathOf: (name) => paths[name as keyof typeof paths],
  }
}

/** The bytes of a regular file; refused when it changes while it is read. */
export async function* readRegularFile(file: string): AsyncGenerator<Buffer> {
  const handle = await openToRead(file)
  try {
    const before = await handle.stat()
    if (!before.isFile())
      throw new ImageFault('file-refused', `${file} is no regular file`, 'name the file itself')
    yield* chunksOf(handle)
    const after = await handle.stat()
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      throw new ImageFault(
        'file-changed',
        `${file} changed while it was read`,
        'import it when its build is done',
      )
    }
  } finally {
    await handle.close()
  }
}

async function openToRead(file: string): Promise<FileHandle> {
  try {
    // Not blocking: what became a pipe since it was looked at must not hold us.
    return await open(await realpath(file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

/** Bytes of a file from where it stands, in chunks that are new each time. */
export async function* chunksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

async function regularFiles(directory: string): Promise<readonly string[]> {
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const detail = `${directory} cannot be read (${code})`
    throw new ImageFault('path-unreadable', detail, 'name a directory or a tarball', 422, cause)
  }
  if (names.length > MAX_NAMES)
    throw new ImageFault('too-many-files', `${directory} holds ${names.length} files`, 'name the set itself')
  const kept = await Promise.all(names.map((name) => isRegularFile(path.join(directory, name))))
  return names.filter((_name, index) => kept[index])
}

async function isRegularFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  )
}

function demand<Value extends string | object>(
  value: Value,
): Exclude<Value, { readonly cure: string; readonly detail: string }> {
  if (isSetFault(value)) throw new ImageFault(value.code, value.detail, value.cure)
  return value as Exclude<Value, { readonly cure: string; readonly detail: string }>
}
