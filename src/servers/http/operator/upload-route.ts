import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Static } from 'typebox'
import type { ImportRequest } from '../../../policy/image/decide-import.ts'
import type { ImageSource } from '../../images/import-image.ts'
import { requestOf, UploadQuery } from './image-body.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorOf } from './operator-unit.ts'
import { ProblemError } from './problem.ts'

/** A sender that is silent for so long is gone: its half of an image must not lie around. */
const UPLOAD_IDLE_MS = 60_000

/** Takes a set in, and answers with the image that it became. */
export type ImportFrom = (
  source: ImageSource,
  wish: ImportRequest,
  reply: FastifyReply,
  announcedBytes?: number,
) => Promise<FastifyReply>

/** `POST /api/v1/images/uploads`: a tarball as the body. No other route takes a body of bytes, and this one no other. */
export function addUploadRoute(
  server: FastifyInstance,
  context: OperatorContext,
  importFrom: ImportFrom,
): void {
  server.register(async (uploads) => {
    uploads.removeAllContentTypeParsers()
    // An image is taken as it arrives: it is never held in memory, so no limit of a body's size applies to it.
    for (const type of [
      'application/x-tar',
      'application/gzip',
      'application/zstd',
      'application/octet-stream',
    ]) {
      uploads.addContentTypeParser(type, (_request, payload, done) => done(null, payload))
    }
    uploads.post<{ Querystring: Static<typeof UploadQuery> }>(
      '/api/v1/images/uploads',
      { schema: { querystring: UploadQuery }, bodyLimit: Number.MAX_SAFE_INTEGER },
      async (request, reply) => {
        if (!(request.body instanceof Readable)) {
          throw new ProblemError({
            status: 422,
            code: 'archive-missing',
            title: 'Unprocessable',
            detail: 'the request has no body',
            cure: 'send a tarball of the set as the body, with Content-Type: application/x-tar',
          })
        }
        const { script } = request.query
        const source = {
          kind: 'archive',
          // A refusal in its midst must not take the connection with it: the sender is to be told.
          archive: request.body.iterator({ destroyOnReturn: false }),
          ...(script === undefined ? {} : { script }),
        } as const
        const { socket } = request.raw
        socket.setTimeout(UPLOAD_IDLE_MS, () => socket.destroy())
        try {
          const length = Number(request.headers['content-length'] ?? 0)
          const wish = { ...requestOf(request.query), by: operatorOf(context, request) }
          return await importFrom(source, wish, reply, length)
        } finally {
          socket.setTimeout(0)
        }
      },
    )
  })
}
