import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Image } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'
import { type ImageLack, imageForBoot } from '../image/image-for-boot.ts'
import { type FindingCode, type ImageLimits, preflight } from '../image/preflight.ts'
import { continuesAttempt } from './attempt.ts'

/** What a machine's image is chosen from when it asks for its script. */
export interface BootImageFacts {
  readonly machine?: Machine
  /** The image that it is assigned, or that is promoted under the name that it is assigned. */
  readonly image?: Image
  /** The image that its latest attempt was given. */
  readonly pinnedImage?: Image
  readonly latestAttempt?: BootAttempt
  readonly imageLimits: ImageLimits
  readonly nowMs: number
}

/**
 * The image that a script fetch is about: the one that its boot attempt began with, or what is assigned now; or the word
 * why there is none that this machine can boot, as far as its loader has told since it was armed.
 */
export function imageToBoot(facts: BootImageFacts): Image | ImageLack | FindingCode {
  const { machine, image: assigned, pinnedImage, latestAttempt, imageLimits: limits, nowMs } = facts
  if (machine === undefined) return 'no-image'
  const isSameBoot = latestAttempt !== undefined && continuesAttempt(latestAttempt, { via: 'script', nowMs })
  const image = imageForBoot({
    machine,
    ...(assigned === undefined ? {} : { assigned }),
    ...(pinnedImage === undefined || !isSameBoot ? {} : { pinned: pinnedImage }),
  })
  if (typeof image === 'string') return image
  const architecture = latestAttempt?.architecture
  const findings = preflight({
    machine,
    image,
    limits,
    ...(architecture === undefined ? {} : { architecture }),
  })
  return findings.find((finding) => finding.refuses)?.code ?? image
}
