import path from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ImageFile } from '../../../model/image.ts'
import { decideFileSent, type SentFile } from '../../../policy/boot/decide-file-sent.ts'
import { readFileSentSnapshot } from '../../../store/snapshots/file-sent.ts'
import { type Sent, sendFile } from '../send-file.ts'
import type { BootContext } from './boot-context.ts'
import { addressOf } from './requests.ts'

/** `GET /assets/{file}` and `GET /images/{image}/{file}`: looked up in lists, never made into a path. */
export function addFileRoutes(server: FastifyInstance, context: BootContext): void {
  const { store, loaders } = context

  server.get<{ Params: { file: string } }>('/assets/:file', async (request, reply) => {
    const loader = loaders.find(request.params.file)
    if (loader === undefined) return reply.code(404).type('text/plain').send('no such loader\n')
    const file = {
      body: loader.bytes,
      bytes: loader.bytes.length,
      sha256: loader.sha256,
      contentType: loader.name.endsWith('.efi') ? 'application/efi' : 'application/octet-stream',
    }
    return sendFile(request, reply, file, noting(context, request, { what: 'loader', name: loader.name }))
  })

  server.get<{ Params: { image: string; file: string } }>('/images/:image/:file', async (request, reply) => {
    const image = /^[0-9a-f]{1,64}$/.test(request.params.image)
      ? store.lists.images.byId(request.params.image)
      : undefined
    const entry = image?.files.find((candidate) => candidate.name === request.params.file)
    if (image === undefined || entry === undefined)
      return reply.code(404).type('text/plain').send('no such image file\n')
    const file = {
      body: { path: path.join(image.directory, entry.name) },
      bytes: entry.bytes,
      sha256: entry.sha256,
      contentType: 'application/octet-stream',
      lastModifiedMs: image.createdAtMs,
    }
    const what = whatOf(entry)
    return sendFile(
      request,
      reply,
      file,
      what === undefined ? undefined : noting(context, request, { what, name: entry.name }),
    )
  })
}

function whatOf(entry: ImageFile): SentFile['what'] | undefined {
  return entry.role === 'kernel' || entry.role === 'initrd' ? entry.role : undefined
}

/** Writes down in the machine's boot attempt what went out; a failure to do so must not fail the transfer. */
function noting(
  { store, log }: BootContext,
  request: FastifyRequest,
  file: Pick<SentFile, 'what' | 'name'>,
): (sent: Sent) => void {
  // Read now: a connection that has ended does not say any more whose it was.
  const address = addressOf(request)
  return (sent) => {
    log.info({ address, file: file.name, bytes: sent.bytes, whole: sent.isWhole }, 'file sent')
    if (address === undefined) return
    const facts: SentFile = { ...file, bytes: sent.bytes, resends: 0, isWhole: sent.isWholeFile }
    store
      .decide(
        (view) => readFileSentSnapshot(view, address),
        (snapshot) => decideFileSent(snapshot, facts),
      )
      .catch((error: unknown) => log.warn({ err: error }, 'sent file not recorded'))
  }
}
