import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { decideMachineFile, decideMachineFileRemoval } from '../../../policy/machine/decide-machine-file.ts'
import { findMachine } from '../../../store/snapshots/machine.ts'
import { readMachineFileSnapshot } from '../../../store/snapshots/machine-files.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorUnit } from './operator-unit.ts'
import { notFound } from './problem.ts'

const FileBody = Type.Object(
  {
    path: Type.String({ maxLength: 1024 }),
    mode: Type.Optional(Type.String({ pattern: '^0?[0-7]{3}$' })),
    content_base64: Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' }),
  },
  { additionalProperties: false },
)
const PathQuery = Type.Object({ path: Type.String({ maxLength: 1024 }) }, { additionalProperties: false })

interface ByRef {
  Params: { ref: string }
}

/** Small files of one machine's own: put, list, remove. */
export function addMachineFileRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context

  server.get<ByRef>('/api/v1/machines/:ref/files', async (request) => {
    const machine = findMachine(store.lists, request.params.ref)
    if (machine === undefined) throw notFound('machine', request.params.ref)
    const items = store.lists.machineFiles.of(machine.id).map(({ path, mode, content }) => ({
      path,
      mode: mode.toString(8).padStart(4, '0'),
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    }))
    return { items, next: null }
  })

  server.put<ByRef & { Body: Static<typeof FileBody> }>(
    '/api/v1/machines/:ref/files',
    { schema: { body: FileBody } },
    async (request) => {
      const { path, mode = '644', content_base64: content } = request.body
      const file = {
        path,
        mode: Number.parseInt(mode, 8),
        content: new Uint8Array(Buffer.from(content, 'base64')),
      }
      const reply = await operatorUnit(
        context,
        request,
        (view) => readMachineFileSnapshot(view, request.params.ref),
        (snapshot) => decideMachineFile(snapshot, file),
      )
      if (reply === undefined) throw notFound('machine', request.params.ref)
      return { path, mode: file.mode.toString(8).padStart(4, '0'), bytes: file.content.length }
    },
  )

  server.delete<ByRef & { Querystring: Static<typeof PathQuery> }>(
    '/api/v1/machines/:ref/files',
    { schema: { querystring: PathQuery } },
    async (request, reply) => {
      const done = await operatorUnit(
        context,
        request,
        (view) => readMachineFileSnapshot(view, request.params.ref),
        (snapshot) => decideMachineFileRemoval(snapshot, request.query.path),
      )
      if (done === undefined) throw notFound('machine', request.params.ref)
      return reply.code(204).send()
    },
  )
}
