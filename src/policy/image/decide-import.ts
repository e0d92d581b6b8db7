import {
  type Image,
  type ImageVersion,
  isImageName,
  isImageVersion,
  type Promotion,
} from '../../model/image.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { promotionOf } from './decide-promotion.ts'

export interface ImportRequest {
  readonly name: string
  /** Undefined: its id. */
  readonly version?: string
  /** True: machines that are assigned the name boot it from now on. */
  readonly promotes: boolean
  /** Whose token asked for it. */
  readonly by: string
}

export interface ImportSnapshot extends Moment {
  /** The image with this content, when it is known already. */
  readonly known?: Image
  /** What the wished name and version stand for already. */
  readonly labelled?: ImageVersion
  /** What is promoted under the wished name. */
  readonly current?: Promotion
}

export type ImportReply =
  | { readonly kind: 'done'; readonly imageId: string; readonly isNew: boolean }
  | Refusal

/** What an import is refused for before a byte of it is read; `labelled` when name and version are taken. */
export function importFault(request: ImportRequest): Refusal | undefined {
  if (!isImageName(request.name)) {
    return refusal(
      422,
      'name-malformed',
      `name is ${JSON.stringify(request.name.slice(0, 80))}, want 1 to 63 of a-z 0-9 . _ - that begin with a letter or digit and are no id`,
      'choose another name',
      'name',
    )
  }
  if (request.version === undefined || isImageVersion(request.version)) return undefined
  return refusal(
    422,
    'version-malformed',
    `version is ${JSON.stringify(request.version.slice(0, 80))}, want 1 to 63 of A-Z a-z 0-9 . _ + -`,
    'choose another version',
    'version',
  )
}

/**
 * Makes a set known whose files are in place. The same content keeps its one id and may have several names; a name and
 * version never come to mean other content. A withdrawn image is whole again: its bytes were just written anew.
 */
export function decideImport(
  snapshot: ImportSnapshot,
  image: Omit<Image, 'name' | 'version' | 'createdAtMs' | 'state' | 'stateReason'>,
  request: ImportRequest,
): Decision<ImportReply> {
  const { known, labelled, current, nowMs } = snapshot
  const { name } = request
  const version = request.version ?? image.id
  const wrong = importFault(request) ?? takenFault(labelled, image.id)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const effects: Effect[] = []
  if (known === undefined) {
    effects.push({
      kind: 'put-image',
      image: { ...image, name, version, createdAtMs: nowMs, state: 'available' },
    })
  } else if (known.state !== 'available') {
    effects.push({ kind: 'set-image-state', imageId: image.id, state: 'available' })
  }
  if (labelled === undefined) {
    const label = { name, version, imageId: image.id, createdAtMs: nowMs }
    effects.push({ kind: 'put-image-version', version: label })
  }
  effects.push({
    kind: 'append-event',
    event: {
      atMs: nowMs,
      type: 'image.imported',
      data: {
        id: image.id,
        name,
        version,
        bytes: image.files.reduce((sum, file) => sum + file.bytes, 0),
        is_new: known === undefined,
        by: request.by,
      },
    },
  })
  const isPromoted = current?.imageId === image.id && current.version === version
  if (request.promotes && !isPromoted)
    effects.push(...promotionOf({ name, version, imageId: image.id }, nowMs, current, request.by))
  return {
    reply: { kind: 'done', imageId: image.id, isNew: known === undefined },
    reason: known === undefined ? 'imported' : 'imported-before',
    effects,
  }
}

function takenFault(labelled: ImageVersion | undefined, imageId: string): Refusal | undefined {
  if (labelled === undefined || labelled.imageId === imageId) return undefined
  return refusal(
    409,
    'version-taken',
    `${labelled.name}:${labelled.version} is image ${labelled.imageId} already, with other content`,
    'give it another --version',
    'version',
  )
}
