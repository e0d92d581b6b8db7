import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { printable } from '../../../net/bytes.ts'
import type { SentFile } from '../../../policy/boot/decide-file-sent.ts'
import { type ImmutableFile, type SendHooks, sendFile } from '../send-file.ts'
import type { BootContext } from './boot-context.ts'
import { FileNotes } from './file-notes.ts'
import { addressOf } from './requests.ts'

/** `GET /assets/{file}` and `GET /images/{image}/{file}`: looked up in lists, never made into a path. */
export function addFileRoutes(server: FastifyInstance, context: BootContext): void {
  const { store, loaders, images, delivery } = context

  server.get<{ Params: { file: string } }>('/assets/:file', async (request, reply) => {
    const loader = loaders.find(request.params.file)
    if (loader === undefined) return notFound(context, request, reply, 'no such loader\n')
    const file: ImmutableFile = {
      body: loader.bytes,
      bytes: loader.bytes.length,
      sha256: loader.sha256,
      contentType: loader.name.endsWith('.efi') ? 'application/efi' : 'application/octet-stream',
    }
    const notes = notesOf(context, request, { what: 'loader', name: loader.name }, file.bytes)
    return sendFile(delivery, request, reply, file, hooksFor(notes))
  })

  server.get<{ Params: { image: string; file: string } }>('/images/:image/:file', async (request, reply) => {
    const image = /^[0-9a-f]{1,64}$/.test(request.params.image)
      ? store.lists.images.byId(request.params.image)
      : undefined
    const entry = image?.files.find((candidate) => candidate.name === request.params.file)
    if (image === undefined || entry === undefined)
      return notFound(context, request, reply, 'no such image file\n')
    if (image.state === 'withdrawn')
      return reply.code(410).type('text/plain').send('this image was withdrawn\n')
    const file: ImmutableFile = {
      body: { path: images.pathOf(entry.sha256) },
      bytes: entry.bytes,
      sha256: entry.sha256,
      contentType: 'application/octet-stream',
      lastModifiedMs: image.createdAtMs,
    }
    const notes = notesOf(context, request, { what: entry.role, name: entry.name }, entry.bytes)
    return sendFile(delivery, request, reply, file, inLine(context, request, reply, hooksFor(notes)))
  })
}

function notFound({ log }: BootContext, request: FastifyRequest, reply: FastifyReply, text: string) {
  log.info({ address: addressOf(request), url: printable(request.url) }, 'boot file not found')
  return reply.code(404).type('text/plain').send(text)
}

function notesOf(
  { store, log }: BootContext,
  request: FastifyRequest,
  file: Pick<SentFile, 'what' | 'name'>,
  fileBytes: number,
): FileNotes | undefined {
  const address = addressOf(request)
  if (address === undefined || request.method !== 'GET') return undefined
  return new FileNotes({ store, log, address, file, fileBytes })
}

function hooksFor(notes: FileNotes | undefined): SendHooks {
  if (notes === undefined) return {}
  notes.asked()
  return { onMoving: () => notes.moving(), onSent: (sent) => notes.sent(sent) }
}

/** Images are streamed so many at a time; who comes later keeps its place in the line by asking again. */
function inLine(
  { delivery, settings, log }: BootContext,
  request: FastifyRequest,
  reply: FastifyReply,
  hooks: SendHooks,
): SendHooks {
  const address = addressOf(request)
  // The server's own addresses ask when it tests itself, and take no machine's place.
  const own = [settings.serverAddress, ...(settings.furtherAddresses ?? [])]
  if (address === undefined || own.includes(address)) return hooks
  let place = 0
  let retryAfterSeconds = 5
  return {
    ...hooks,
    admit: () => {
      const admission = delivery.streams.admit(address, performance.now())
      if (admission.kind === 'admitted') return () => admission.leave()
      place = admission.place
      retryAfterSeconds = admission.retryAfterSeconds
      return undefined
    },
    onWait: () => {
      hooks.onMoving?.()
      log.info({ address, place }, 'image asked for while all places are taken')
      return reply
        .code(503)
        .headers({ 'retry-after': retryAfterSeconds, 'cache-control': 'no-store' })
        .type('text/plain')
        .send(`all streams are taken; place ${place} in the line\n`)
    },
  }
}
