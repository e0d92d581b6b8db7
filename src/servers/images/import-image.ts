import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { copyFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Image, ImageFile } from '../../model/image.ts'
import { isNetbootFault, parseNetbootScript } from '../../model/netboot-script.ts'

/** A directory that is no image set we can boot: what is wrong, and the cure. */
export class ImageFault extends Error {
  readonly code: string
  readonly cure: string
  constructor(code: string, detail: string, cure: string) {
    super(detail)
    this.code = code
    this.cure = cure
  }
}

export interface ImportWish {
  /** Holds `netboot.ipxe`, the kernel and the initrd that it names. */
  readonly directory: string
  readonly name: string
  readonly version?: string
  readonly nowMs: number
}

/**
 * Takes an image set in: reads its `netboot.ipxe`, copies kernel and initrd under a temporary name, hashes what was
 * written, syncs and renames. A set that is there already keeps its id and its files.
 *
 * @throws ImageFault
 */
export async function importImage(
  imagesDir: string,
  wish: ImportWish,
): Promise<{ image: Image; directory: string }> {
  const script = await readNetbootScript(wish.directory)
  await mkdir(imagesDir, { recursive: true, mode: 0o755 })
  const staging = path.join(imagesDir, `.import-${process.pid}-${process.hrtime.bigint()}`)
  await mkdir(staging)
  try {
    const kernel = await takeFile(wish.directory, staging, script.kernel, 'kernel')
    const initrd = await takeFile(wish.directory, staging, script.initrd, 'initrd')
    const architecture = await architectureOf(path.join(staging, kernel.name))
    const described = {
      init: script.init,
      parameters: script.parameters,
      architecture,
      files: [kernel, initrd],
    }
    const id = createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, 16)
    const directory = path.join(imagesDir, id)
    if (await exists(directory)) await rm(staging, { recursive: true })
    else await renameDurably(staging, directory)
    const image = { id, name: wish.name, version: wish.version ?? id, createdAtMs: wish.nowMs, ...described }
    return { image, directory }
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    throw error
  }
}

async function readNetbootScript(directory: string) {
  let text: string
  try {
    text = await readFile(path.join(directory, 'netboot.ipxe'), 'utf8')
  } catch (cause) {
    const detail = `${directory} has no readable netboot.ipxe (${(cause as NodeJS.ErrnoException).code})`
    throw new ImageFault(
      'netboot-ipxe-missing',
      detail,
      'name the directory that holds netboot.ipxe, bzImage and initrd',
    )
  }
  const script = parseNetbootScript(text)
  if (isNetbootFault(script))
    throw new ImageFault(script.code, script.detail, 'build the image anew and import all of its files')
  return script
}

async function takeFile(from: string, to: string, name: string, role: ImageFile['role']): Promise<ImageFile> {
  const target = path.join(to, name)
  try {
    await copyFile(path.join(from, name), target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'EISDIR') throw cause
    throw new ImageFault(
      'file-missing',
      `netboot.ipxe names ${name}, which is not in ${from}`,
      'import the whole set',
    )
  }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(target, { highWaterMark: 1 << 20 })) hash.update(chunk)
  await syncPath(target)
  const { size } = await stat(target)
  if (size === 0) throw new ImageFault('file-empty', `${name} is empty`, 'build the image anew')
  return { name, role, bytes: size, sha256: hash.digest('hex') }
}

/** By the magic numbers of the kernel's own boot protocol: what a file is called proves nothing. */
async function architectureOf(kernelPath: string): Promise<Image['architecture']> {
  const file = await open(kernelPath, 'r')
  try {
    const head = Buffer.alloc(0x206)
    await file.read(head, 0, head.length, 0)
    if (head.toString('latin1', 0x202, 0x206) === 'HdrS') return 'x86_64'
    if (head.toString('latin1', 0x38, 0x3c) === 'ARMd') return 'arm64'
  } finally {
    await file.close()
  }
  const detail = `${path.basename(kernelPath)} is neither an x86 bzImage (HdrS at 0x202) nor an arm64 Image (ARMd at 0x38)`
  throw new ImageFault('kernel-unknown', detail, 'import the kernel as the NixOS build left it')
}

async function renameDurably(from: string, to: string): Promise<void> {
  await syncPath(from)
  await rename(from, to)
  await syncPath(path.dirname(to))
}

async function syncPath(target: string): Promise<void> {
  const handle = await open(target, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function exists(target: string): Promise<boolean> {
  return stat(target).then(
    () => true,
    () => false,
  )
}
