import type { Image } from '../../model/image.ts'
import type { Decision, Moment } from '../decision.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { type ImageUses, usesSentence } from './uses.ts'

export interface RetirementSnapshot extends Moment {
  readonly image: Image
  readonly uses: ImageUses
}

export type RetirementReply = { readonly kind: 'done'; readonly imageId: string } | Refusal

/** Retires an image that nothing needs: nobody is given it any more, and `gc` removes it. */
export function decideRetirement({ nowMs, image, uses }: RetirementSnapshot): Decision<RetirementReply> {
  const { rollsBackFor: _kept, ...binding } = uses
  const used = usesSentence({ ...binding, rollsBackFor: [] })
  if (used !== undefined) {
    const reply = refusal(
      409,
      'image-in-use',
      `image ${image.name}:${image.version} (${image.id}) is ${used}`,
      'assign or promote another image first',
    )
    return { reply, reason: reply.code, effects: [] }
  }
  const reply = { kind: 'done', imageId: image.id } as const
  if (image.state === 'retired') return { reply, reason: 'retired-before', effects: [] }
  return {
    reply,
    reason: 'retired',
    effects: [
      { kind: 'set-image-state', imageId: image.id, state: 'retired', why: 'retired by an operator' },
      {
        kind: 'append-event',
        event: {
          atMs: nowMs,
          type: 'image.retired',
          data: { id: image.id, name: image.name, version: image.version },
        },
      },
    ],
  }
}
