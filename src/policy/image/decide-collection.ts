import type { Image } from '../../model/image.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type ImageUses, usesSentence } from './uses.ts'

export interface CollectionSnapshot extends Moment {
  readonly images: readonly { readonly image: Image; readonly uses: ImageUses }[]
}

export interface CollectionReply {
  readonly removed: readonly Image[]
  /** Retired images that something still needs, and what. */
  readonly kept: readonly { readonly image: Image; readonly why: string }[]
}

/**
 * Removes retired images, and only those that no machine, no promotion, no roll-back and no running boot needs. With
 * `isTrial` it only says what it would remove.
 */
export function decideCollection(
  { images, nowMs }: CollectionSnapshot,
  isTrial: boolean,
  by: string,
): Decision<CollectionReply> {
  const removed: Image[] = []
  const kept: { image: Image; why: string }[] = []
  for (const { image, uses } of images) {
    if (image.state !== 'retired') continue
    const why = usesSentence(uses)
    if (why === undefined) removed.push(image)
    else kept.push({ image, why })
  }
  const effects: Effect[] = isTrial
    ? []
    : removed.flatMap((image): Effect[] => [
        { kind: 'delete-image', imageId: image.id },
        {
          kind: 'append-event',
          event: {
            atMs: nowMs,
            type: 'image.removed',
            data: { id: image.id, name: image.name, version: image.version, by },
          },
        },
      ])
  return { reply: { removed, kept }, reason: isTrial ? 'would-collect' : 'collected', effects }
}
