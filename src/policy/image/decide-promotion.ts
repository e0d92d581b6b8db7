import type { Image, ImageVersion, Promotion } from '../../model/image.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** What a name stands for after the call. */
export interface Promoted {
  readonly kind: 'done'
  readonly name: string
  readonly version: string
  readonly imageId: string
}

export type PromotionReply = Promoted | Refusal

export interface PromotionSnapshot extends Moment {
  /** The name and version that were asked for. */
  readonly label?: ImageVersion
  readonly image?: Image
  readonly current?: Promotion
}

/** Makes a version the one that machines boot which are assigned its name. A machine that is booting keeps its own. */
export function decidePromotion(
  snapshot: PromotionSnapshot,
  name: string,
  version: string,
): Decision<PromotionReply> {
  const { label, image, current, nowMs } = snapshot
  if (label === undefined || image === undefined) {
    return refused(
      refusal(
        404,
        'version-unknown',
        `there is no image ${name}:${version}`,
        `pilotlight image list`,
        'version',
      ),
    )
  }
  if (image.state !== 'available') return refused(unavailable(image))
  const reply = { kind: 'done', name, version, imageId: image.id } as const
  if (current?.imageId === image.id && current.version === version)
    return { reply, reason: 'promoted-before', effects: [] }
  return { reply, reason: 'promoted', effects: promotionOf(label, nowMs, current) }
}

export interface RollBackSnapshot extends Moment {
  /** The name's promotions that were not rolled back, the latest first, each with its image. */
  readonly promotions: readonly { readonly promotion: Promotion; readonly image: Image }[]
}

/** Goes back to the promotion before the current one, past those whose image may not be booted any more. */
export function decideRollBack(
  { promotions, nowMs }: RollBackSnapshot,
  name: string,
): Decision<PromotionReply> {
  const [current, ...earlier] = promotions
  if (current === undefined) {
    return refused(
      refusal(
        409,
        'not-promoted',
        `no version of ${name} is promoted`,
        `pilotlight image promote ${name} VERSION`,
      ),
    )
  }
  const target = earlier.find(
    ({ promotion, image }) => image.state === 'available' && promotion.imageId !== current.promotion.imageId,
  )
  if (target === undefined) {
    return refused(
      refusal(
        409,
        'nothing-earlier',
        `${name} has no earlier promotion whose image may be booted`,
        `pilotlight image promote ${name} VERSION`,
      ),
    )
  }
  const undone = promotions.filter(({ promotion }) => promotion.seq > target.promotion.seq)
  const { version, imageId } = target.promotion
  return {
    reply: { kind: 'done', name, version, imageId },
    reason: 'rolled-back',
    effects: [
      ...undone.map(
        ({ promotion }) => ({ kind: 'roll-back-promotion', seq: promotion.seq, atMs: nowMs }) as const,
      ),
      {
        kind: 'append-event',
        event: {
          atMs: nowMs,
          type: 'image.rolled-back',
          data: { name, from: current.promotion.version, to: version, id: imageId },
        },
      },
    ],
  }
}

/** The effects of a promotion. Whoever promotes by a call of its own is added where that is received. */
export function promotionOf(
  { name, version, imageId }: Pick<ImageVersion, 'name' | 'version' | 'imageId'>,
  nowMs: number,
  before?: Promotion,
  by?: string,
): readonly Effect[] {
  return [
    { kind: 'promote-image', promotion: { name, version, imageId, promotedAtMs: nowMs } },
    {
      kind: 'append-event',
      event: {
        atMs: nowMs,
        type: 'image.promoted',
        data: {
          name,
          version,
          id: imageId,
          before: before?.version ?? null,
          ...(by === undefined ? {} : { by }),
        },
      },
    },
  ]
}

/** Why an image that is not available is not given to anybody. */
export function unavailable(image: Image): Refusal {
  const why = image.stateReason === undefined ? '' : ` (${image.stateReason})`
  const cure =
    image.state === 'withdrawn'
      ? 'import the same set again, or choose another image'
      : 'import it again, or choose another image'
  return refusal(
    409,
    `image-${image.state}`,
    `image ${image.name}:${image.version} (${image.id}) is ${image.state}${why}`,
    cure,
    'image',
  )
}

function refused(reply: Refusal): Decision<Refusal> {
  return { reply, reason: reply.code, effects: [] }
}
