import { type Image, isImageId } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'
import type { BootImageFacts } from '../../policy/boot/image-to-boot.ts'
import type { CollectionSnapshot } from '../../policy/image/decide-collection.ts'
import type { ImportSnapshot } from '../../policy/image/decide-import.ts'
import type { PromotionSnapshot, RollBackSnapshot } from '../../policy/image/decide-promotion.ts'
import type { ImageUses } from '../../policy/image/uses.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'
import type { Tables } from '../tables/tables.ts'

const ALL = 1_000_000

/** An image as operators write it: `id`, `name:version`, or `name` for what is promoted under it. */
export function findImage({ images }: Pick<Tables, 'images'>, ref: string): Image | undefined {
  if (isImageId(ref)) return images.byId(ref)
  const [name = '', version] = ref.split(':', 2)
  const id = version === undefined ? images.promoted(name)?.imageId : images.version(name, version)?.imageId
  return id === undefined ? undefined : images.byId(id)
}

/** The image of a machine: the one that it is assigned, or what is promoted under the name that it is assigned. */
export function assignedImage({ images }: Pick<Tables, 'images'>, machine: Machine): Image | undefined {
  const id = machine.imageName === undefined ? machine.imageId : images.promoted(machine.imageName)?.imageId
  return id === undefined ? undefined : images.byId(id)
}

/** What the image of a machine's next script is chosen from. */
export function readBootImageFacts(
  view: Tables,
  machine: Machine,
): Omit<BootImageFacts, 'imageLimits' | 'nowMs'> {
  const latestAttempt = view.attempts.latestOf(machine.id)
  const pinned = latestAttempt?.imageId
  return {
    machine,
    ...given('image', assignedImage(view, machine)),
    ...given('pinnedImage', pinned === undefined ? undefined : view.images.byId(pinned)),
    ...given('latestAttempt', latestAttempt),
  }
}

export function readImportSnapshot(
  view: View,
  imageId: string,
  name: string,
  version: string,
): ImportSnapshot {
  return {
    nowMs: view.nowMs,
    ...given('known', view.images.byId(imageId)),
    ...given('labelled', view.images.version(name, version)),
    ...given('current', view.images.promoted(name)),
  }
}

export function readPromotionSnapshot(view: View, name: string, version: string): PromotionSnapshot {
  const label = view.images.version(name, version)
  return {
    nowMs: view.nowMs,
    ...given('label', label),
    ...given('image', label === undefined ? undefined : view.images.byId(label.imageId)),
    ...given('current', view.images.promoted(name)),
  }
}

export function readRollBackSnapshot(view: View, name: string): RollBackSnapshot {
  const promotions = view.images.promotions(name).flatMap((promotion) => {
    const image = view.images.byId(promotion.imageId)
    return image === undefined ? [] : [{ promotion, image }]
  })
  return { nowMs: view.nowMs, promotions }
}

/** What needs an image. */
export function readImageUses({ images }: Pick<Tables, 'images'>, imageId: string): ImageUses {
  const promotedAs: string[] = []
  const rollsBackFor: string[] = []
  for (const name of images.promotedNames()) {
    const [current, ...earlier] = images.promotions(name)
    // The same choice as `decideRollBack` makes.
    const before = earlier.find(
      (promotion) =>
        promotion.imageId !== current?.imageId && images.byId(promotion.imageId)?.state === 'available',
    )
    if (current?.imageId === imageId) promotedAs.push(name)
    else if (before?.imageId === imageId) rollsBackFor.push(name)
  }
  const assigned = promotedAs.flatMap((name) => images.machinesOfName(name))
  return {
    machines: [...images.machinesOf(imageId), ...assigned],
    promotedAs,
    rollsBackFor,
    boots: images.bootsOf(imageId),
  }
}

export function readCollectionSnapshot(view: View): CollectionSnapshot {
  const images = view.images.list('', ALL).map((image) => ({ image, uses: readImageUses(view, image.id) }))
  return { nowMs: view.nowMs, images }
}
