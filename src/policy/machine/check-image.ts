import type { Image } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'
import { unavailable } from '../image/decide-promotion.ts'
import { type ImageLack, imageForBoot } from '../image/image-for-boot.ts'
import { type Finding, type ImageLimits, preflight } from '../image/preflight.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** What the check of a machine's image looks at. */
export interface ImageCheckFacts {
  readonly machine: Machine
  /** What it is assigned, or what is promoted under the name that it is assigned. */
  readonly image?: Image
  /** Option 93 of its latest boot. */
  readonly architecture?: number
  readonly imageLimits: ImageLimits
}

/** Why a machine cannot boot what it is assigned, or what to warn of when it can. */
export function checkImage({
  machine,
  image,
  architecture,
  imageLimits: limits,
}: ImageCheckFacts): Refusal | readonly Finding[] {
  const chosen = imageForBoot({ machine, ...(image === undefined ? {} : { assigned: image }) })
  if (typeof chosen === 'string') return lackRefusal(machine, chosen, image)
  const findings = preflight({
    machine,
    image: chosen,
    limits,
    ...(architecture === undefined ? {} : { architecture }),
  })
  const worst = findings.find((finding) => finding.refuses)
  return worst === undefined ? findings : refusal(409, worst.code, worst.detail, worst.cure, 'image')
}

/** The refusal that a check came to, if it did. */
export function imageRefusal(checked: Refusal | readonly Finding[]): Refusal | undefined {
  return 'kind' in checked ? checked : undefined
}

/** What a check that lets the machine boot warns of, for the operator. */
export function imageWarnings(checked: Refusal | readonly Finding[]): readonly string[] {
  return 'kind' in checked ? [] : checked.map(({ detail, cure }) => `${detail} (${cure})`)
}

function lackRefusal(machine: Machine, lack: ImageLack, image: Image | undefined): Refusal {
  const { name, imageName } = machine
  if (lack === 'image-not-promoted') {
    return refusal(
      409,
      lack,
      `${name} boots image ${imageName}, of which no version is promoted`,
      `pilotlight image promote ${imageName} VERSION`,
      'image',
    )
  }
  if (lack !== 'no-image' && image !== undefined) return unavailable(image)
  return refusal(
    409,
    'no-image',
    `${name} has no image`,
    `pilotlight machine edit ${name} --image NAME`,
    'image',
  )
}
