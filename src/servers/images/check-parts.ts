import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import type { Image } from '../../model/image.ts'
import { isInitrd, isSquashfs, kernelArchitecture, MAGIC_BYTES } from '../../model/image-magic.ts'
import type { ImageParts } from '../../model/image-set.ts'
import { ImageFault, unreadable } from './image-fault.ts'
import type { FoundSet } from './read-image-directory.ts'

/** The beginning of a file: at most `MAGIC_BYTES`, fewer where it has no more. */
export interface FileHead {
  /** What it is called where it comes from. */
  readonly name: string
  readonly head: Uint8Array
}

/**
 * Checks by their own first bytes that files are what the set says they are: cheap, so before anything is copied or sent.
 *
 * @throws ImageFault
 */
export function checkParts(parts: ImageParts, headOf: (name: string) => FileHead): Image['architecture'] {
  const architecture = checkKernel(headOf(parts.kernel), parts.claims)
  checkInitrd(headOf(parts.initrd))
  if (parts.squashfs !== undefined) checkSquashfs(headOf(parts.squashfs))
  return architecture
}

/** @throws ImageFault */
export function checkKernel(kernel: FileHead, claims?: ImageParts['claims']): Image['architecture'] {
  demandBytes(kernel)
  const found = kernelArchitecture(kernel.head)
  if (found === undefined || found === 'x86-32-bit') {
    const what =
      found === undefined
        ? 'neither an x86 bzImage (HdrS at 0x202) nor an arm64 Image (ARM\\x64 at 0x38)'
        : 'an x86 kernel without a 64-bit entry'
    throw new ImageFault(
      'kernel-unknown',
      `${kernel.name} is ${what}`,
      'import the kernel as the NixOS build left it',
    )
  }
  if (claims !== undefined && claims !== found) {
    const detail = `${kernel.name} is a kernel for ${found}, the names say ${claims}`
    throw new ImageFault('architecture-mismatch', detail, 'import the files of one build together')
  }
  return found
}

/** @throws ImageFault */
export function checkInitrd(initrd: FileHead): void {
  demandBytes(initrd)
  if (isInitrd(initrd.head)) return
  throw new ImageFault(
    'initrd-unknown',
    `${initrd.name} begins as no initrd does: neither a newc cpio nor a compression that Linux unpacks`,
    'import the initrd as the build left it',
  )
}

function checkSquashfs({ name, head }: FileHead): void {
  if (!isSquashfs(head))
    throw new ImageFault('squashfs-unknown', `${name} is no squashfs`, 'build the image anew')
}

/**
 * The same of files on this disk, before one of them is read whole.
 *
 * @throws ImageFault
 */
export async function checkFound({ parts, pathOf }: FoundSet): Promise<void> {
  const heads = new Map<string, FileHead>()
  for (const name of [parts.kernel, parts.initrd, parts.squashfs]) {
    if (name !== undefined) heads.set(name, await readHead(pathOf(name), path.basename(pathOf(name))))
  }
  checkParts(parts, (name) => heads.get(name) ?? { name, head: new Uint8Array() })
}

async function readHead(file: string, name: string): Promise<FileHead> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    const head = Buffer.alloc(MAGIC_BYTES)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    return { name, head: head.subarray(0, bytesRead) }
  } catch (cause) {
    throw unreadable(file, cause)
  } finally {
    await handle?.close()
  }
}

function demandBytes({ name, head }: FileHead): void {
  if (head.length === 0) throw new ImageFault('file-empty', `${name} is empty`, 'build the image anew')
}
