import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { ImageFault, importImage } from '../../images/import-image.ts'
import type { OperatorContext } from './operator-context.ts'
import { pageBody, pageOf } from './paging.ts'
import { notFound, ProblemError } from './problem.ts'
import { imageResource } from './resources.ts'

const ImportBody = Type.Object(
  {
    directory: Type.String({ minLength: 1, maxLength: 4096 }),
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }),
    version: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$' })),
  },
  { additionalProperties: false },
)

/** Images: import a directory of this server's disk, list, show. */
export function addImageRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context

  server.get<{ Querystring: { after?: string; limit?: string } }>('/api/v1/images', async (request) => {
    const page = pageOf(request.query)
    return pageBody(store.lists.images.list(page.after, page.limit), page, (image) => image.id, imageResource)
  })

  server.get<{ Params: { id: string } }>('/api/v1/images/:id', async (request) => {
    const image = store.lists.images.byId(request.params.id)
    if (image === undefined) throw notFound('image', request.params.id)
    return imageResource(image)
  })

  server.post<{ Body: Static<typeof ImportBody> }>(
    '/api/v1/images',
    { schema: { body: ImportBody } },
    async (request, reply) => {
      const { image, directory } = await importOrProblem(context, request.body)
      await store.decide(
        (view) => view.nowMs,
        (nowMs) => ({
          reply: undefined,
          reason: 'imported',
          effects: [
            { kind: 'put-image', image, directory },
            {
              kind: 'append-event',
              event: {
                atMs: nowMs,
                type: 'image.imported',
                data: { id: image.id, name: image.name, version: image.version },
              },
            },
          ],
        }),
      )
      return reply.code(201).send(imageResource(image))
    },
  )
}

async function importOrProblem({ store, imagesDir }: OperatorContext, body: Static<typeof ImportBody>) {
  try {
    return await importImage(imagesDir, { ...body, nowMs: store.nowMs() })
  } catch (error) {
    if (!(error instanceof ImageFault)) throw error
    const { code, message: detail, cure } = error
    throw new ProblemError({ status: 422, code, title: 'Unprocessable', detail, cure, field: 'directory' })
  }
}
