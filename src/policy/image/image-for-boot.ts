import type { Image } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'

/** What is known of the image that a machine is to boot. */
export interface ImageFacts {
  readonly machine: Machine
  /** The image that it is assigned, or that is promoted under the name that it is assigned. */
  readonly assigned?: Image
  /** The image that the running boot attempt was given before. */
  readonly pinned?: Image
}

/** Why a machine has no image to boot; the same words as the reasons to park. */
export type ImageLack = 'no-image' | 'image-not-promoted' | 'image-withdrawn' | 'image-retired'

/**
 * The image that a machine boots. A boot attempt keeps the image that it began with, however the name is promoted
 * meanwhile, so that kernel and initrd are of one set and a boot can be repeated; only a pinned image that may not be
 * booted any more gives way to what the name stands for now.
 */
export function imageForBoot({ machine, assigned, pinned }: ImageFacts): Image | ImageLack {
  if (pinned?.state === 'available') return pinned
  if (machine.imageId === undefined && machine.imageName === undefined) return 'no-image'
  if (assigned === undefined) return machine.imageName === undefined ? 'no-image' : 'image-not-promoted'
  switch (assigned.state) {
    case 'available':
      return assigned
    case 'withdrawn':
      return 'image-withdrawn'
    case 'retired':
      return 'image-retired'
  }
}
