import { createHash } from 'node:crypto'
import { type Image, type ImageFile, type ImageRole, imageFileName } from '../../model/image.ts'
import { isInitrd, isSquashfs, kernelArchitecture } from '../../model/image-magic.ts'
import type { ImageParts } from '../../model/image-set.ts'
import { ImageFault } from './image-fault.ts'
import type { TakenFile } from './staged-import.ts'

/** What an image is before it has a name: all that its id is made of. */
export type DescribedImage = Pick<Image, 'id' | 'architecture' | 'init' | 'parameters' | 'files'>

/**
 * Checks by their own bytes that the files are what the set says, and gives the set its id.
 *
 * @throws ImageFault
 */
export function describeImage(parts: ImageParts, taken: (name: string) => TakenFile): DescribedImage {
  const kernel = taken(parts.kernel)
  const initrd = taken(parts.initrd)
  const squashfs = parts.squashfs === undefined ? undefined : taken(parts.squashfs)
  for (const file of [kernel, initrd]) {
    if (file.bytes === 0) throw new ImageFault('file-empty', `${file.name} is empty`, 'build the image anew')
  }
  const architecture = architectureOf(kernel, parts)
  if (!isInitrd(initrd.head)) {
    throw new ImageFault(
      'initrd-unknown',
      `${initrd.name} begins as no initrd does: neither a newc cpio nor a compression that Linux unpacks`,
      'import the initrd as the build left it',
    )
  }
  if (squashfs !== undefined && !isSquashfs(squashfs.head))
    throw new ImageFault('squashfs-unknown', `${squashfs.name} is no squashfs`, 'build the image anew')
  const files = [
    fileOf('kernel', kernel, architecture),
    fileOf('initrd', initrd, architecture),
    ...(squashfs === undefined ? [] : [fileOf('squashfs', squashfs, architecture)]),
  ]
  const described = { init: parts.init, parameters: parts.parameters, architecture, files }
  const id = createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, 16)
  return { id, ...described }
}

function architectureOf(kernel: TakenFile, { claims }: ImageParts): Image['architecture'] {
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

function fileOf(
  role: ImageRole,
  { bytes, sha256 }: TakenFile,
  architecture: Image['architecture'],
): ImageFile {
  return { name: imageFileName(role, architecture), role, bytes, sha256 }
}
