import type { Image } from '../../model/image.ts'
import type { Decision, Moment } from '../decision.ts'

/** What reading an image's files again found. */
export interface FileFinding {
  readonly name: string
  readonly sha256: string
  /** Undefined: the bytes are what was imported. */
  readonly fault?: string
}

export type VerificationReply = { readonly verdict: 'whole' | 'damaged' }

/**
 * Takes an image away from everybody when its bytes are not what was imported, and gives a withdrawn one back when they
 * are again. A retired image stays retired. `image` is undefined when it was removed in the meantime.
 */
export function decideVerification(
  { nowMs }: Moment,
  image: Image | undefined,
  findings: readonly FileFinding[],
  by: string,
): Decision<VerificationReply> {
  const damaged = findings.filter((finding) => finding.fault !== undefined)
  const verdict = damaged.length === 0 ? 'whole' : 'damaged'
  const state = verdict === 'whole' ? 'available' : 'withdrawn'
  if (image === undefined || image.state === 'retired' || image.state === state)
    return { reply: { verdict }, reason: verdict, effects: [] }
  const why = damaged
    .map(({ name, fault }) => `${name}: ${fault}`)
    .join('; ')
    .slice(0, 300)
  return {
    reply: { verdict },
    reason: verdict,
    effects: [
      {
        kind: 'set-image-state',
        imageId: image.id,
        state,
        ...(verdict === 'damaged' ? { why } : {}),
      },
      {
        kind: 'append-event',
        event: {
          atMs: nowMs,
          type: verdict === 'damaged' ? 'image.withdrawn' : 'image.restored',
          data: {
            id: image.id,
            name: image.name,
            version: image.version,
            by,
            ...(verdict === 'damaged' ? { why } : {}),
          },
        },
      },
    ],
  }
}
