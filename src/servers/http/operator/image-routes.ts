import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Image } from '../../../model/image.ts'
import type { ImportRequest } from '../../../policy/image/decide-import.ts'
import { decidePromotion, decideRollBack, type Promoted } from '../../../policy/image/decide-promotion.ts'
import { decideRetirement } from '../../../policy/image/decide-retirement.ts'
import {
  findImage,
  readImageUses,
  readPromotionSnapshot,
  readRollBackSnapshot,
} from '../../../store/snapshots/image.ts'
import { ImageFault } from '../../images/image-fault.ts'
import type { ImageSource } from '../../images/import-image.ts'
import { CollectQuery, ImportBody, requestOf, sourceOf } from './image-body.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorOf, operatorUnit } from './operator-unit.ts'
import { type Paged, PageQuery, pageBody, pageOf } from './paging.ts'
import { notFound, ProblemError } from './problem.ts'
import { imageResource } from './resources.ts'
import { addUploadRoute } from './upload-route.ts'

interface ByRef {
  Params: { ref: string }
}

const PromoteBody = Type.Object({ version: Type.String({ maxLength: 100 }) }, { additionalProperties: false })

/** Images: import or upload, list, show, verify, promote and roll back, retire, collect. */
export function addImageRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store, images } = context

  server.get<Paged>('/api/v1/images', { schema: { querystring: PageQuery } }, async (request) => {
    const page = pageOf(request.query)
    return pageBody(store.lists.images.list(page.after, page.limit), page, (image) => image.id, show)
  })

  server.get<ByRef>('/api/v1/images/:ref', async (request) => {
    const image = existing(context, request.params.ref)
    return { ...show(image), uses: usesResource(context, image.id) }
  })

  server.post<{ Body: Static<typeof ImportBody> }>(
    '/api/v1/images',
    { schema: { body: ImportBody } },
    async (request, reply) => {
      const source = sourceOf(request.body)
      if (source === undefined) {
        throw new ProblemError({
          status: 422,
          code: 'source-missing',
          title: 'Unprocessable',
          detail: 'want either path or files',
          cure: 'name a directory or tarball on this server, or upload one',
          field: 'path',
        })
      }
      return importFrom(source, { ...requestOf(request.body), by: operatorOf(context, request) }, reply)
    },
  )

  addUploadRoute(server, context, importFrom)

  server.post<ByRef>('/api/v1/images/:ref/verify', async (request) => {
    const image = existing(context, request.params.ref)
    const { verdict, findings } = await images.verify(image, operatorOf(context, request))
    return {
      ...show(existing(context, image.id)),
      verdict,
      findings: findings.map(({ name, sha256, fault }) => ({ name, sha256, fault: fault ?? null })),
    }
  })

  server.post<ByRef>('/api/v1/images/:ref/retire', async (request) => {
    const { id } = existing(context, request.params.ref)
    const reply = await operatorUnit(
      context,
      request,
      (view) => {
        const image = view.images.byId(id)
        return image && { nowMs: view.nowMs, image, uses: readImageUses(view, id) }
      },
      (snapshot) => decideRetirement(snapshot),
    )
    if (reply === undefined) throw notFound('image', request.params.ref)
    return show(existing(context, id))
  })

  server.post<{ Params: { name: string }; Body: Static<typeof PromoteBody> }>(
    '/api/v1/image-names/:name/promote',
    { schema: { body: PromoteBody } },
    async (request) => {
      const { name } = request.params
      const { version } = request.body
      return promotionBody(
        await operatorUnit(
          context,
          request,
          (view) => readPromotionSnapshot(view, name, version),
          (snapshot) => decidePromotion(snapshot, name, version),
        ),
      )
    },
  )

  server.post<{ Params: { name: string } }>('/api/v1/image-names/:name/rollback', async (request) => {
    const { name } = request.params
    return promotionBody(
      await operatorUnit(
        context,
        request,
        (view) => readRollBackSnapshot(view, name),
        (snapshot) => decideRollBack(snapshot, name),
      ),
    )
  })

  server.post<{ Querystring: Static<typeof CollectQuery> }>(
    '/api/v1/images/gc',
    { schema: { querystring: CollectQuery } },
    async (request) => {
      const { removed, kept, files, bytes } = await images.collect(
        request.query.dry_run === 'true',
        operatorOf(context, request),
      )
      return {
        removed: removed.map(show),
        kept: kept.map(({ image, why }) => ({ ...show(image), why })),
        files_removed: files,
        bytes_freed: bytes,
      }
    },
  )

  function show(image: Image) {
    return imageResource(image, store.lists.images.versionsOf(image.id), (name) =>
      store.lists.images.promoted(name),
    )
  }

  async function importFrom(source: ImageSource, wish: ImportRequest, reply: FastifyReply, announced = 0) {
    try {
      const { image, isNew } = await images.import(source, wish, announced)
      return reply.code(isNew ? 201 : 200).send(show(image))
    } catch (error) {
      if (!(error instanceof ImageFault)) throw error
      const { code, message: detail, cure, status } = error
      throw new ProblemError({ status, code, title: TITLES[status], detail, cure })
    }
  }
}

const TITLES = { 409: 'Conflict', 422: 'Unprocessable', 503: 'Not now', 507: 'Insufficient storage' } as const

function usesResource({ store }: OperatorContext, imageId: string) {
  const { machines, promotedAs, rollsBackFor, boots } = readImageUses(store.lists, imageId)
  return { machines, promoted_as: promotedAs, rolls_back_for: rollsBackFor, boots }
}

function promotionBody(reply: Promoted | undefined) {
  return { name: reply?.name, version: reply?.version, image_id: reply?.imageId }
}

function existing({ store }: OperatorContext, ref: string): Image {
  const image = findImage(store.lists, ref)
  if (image === undefined) throw notFound('image', ref)
  return image
}
