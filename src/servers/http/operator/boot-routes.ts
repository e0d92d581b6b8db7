import type { FastifyInstance } from 'fastify'
import { readAttemptRecords } from '../../../store/snapshots/attempt.ts'
import type { OperatorContext } from './operator-context.ts'
import { notFound } from './problem.ts'
import { bootResource, exchangeResources } from './resources.ts'

/** `GET /api/v1/boots/{id}`: one boot attempt to scale, with its stages, steps, waits and every exchange. */
export function addBootRoutes(server: FastifyInstance, { store }: OperatorContext): void {
  server.get<{ Params: { id: string } }>('/api/v1/boots/:id', async (request) => {
    const { attempts } = store.lists
    const attempt = attempts.byId(request.params.id)
    if (attempt === undefined) throw notFound('boot', request.params.id)
    const records = readAttemptRecords(store.lists, attempt)
    return {
      ...bootResource(records, store.nowMs()),
      clock_skew_ms: attempts.clockSkewMs(attempt.bootId) ?? null,
      exchanges: exchangeResources(records),
    }
  })
}
