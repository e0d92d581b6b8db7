import { createHash } from 'node:crypto'
import { type Image, type ImageFile, type ImageRole, imageFileName } from '../../model/image.ts'
import type { ImageParts } from '../../model/image-set.ts'
import { checkParts } from './check-parts.ts'
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
  const architecture = checkParts(parts, taken)
  const files = [
    fileOf('kernel', kernel, architecture),
    fileOf('initrd', initrd, architecture),
    ...(squashfs === undefined ? [] : [fileOf('squashfs', squashfs, architecture)]),
  ]
  const described = { init: parts.init, parameters: parts.parameters, architecture, files }
  const id = createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, 16)
  return { id, ...described }
}

function fileOf(
  role: ImageRole,
  { bytes, sha256 }: TakenFile,
  architecture: Image['architecture'],
): ImageFile {
  return { name: imageFileName(role, architecture), role, bytes, sha256 }
}
