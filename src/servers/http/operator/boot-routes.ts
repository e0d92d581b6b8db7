import type { FastifyInstance } from 'fastify'
import type { OperatorContext } from './operator-context.ts'
import { notFound } from './problem.ts'
import { bootResource } from './resources.ts'

/** `GET /api/v1/boots/{id}`: one boot attempt with its stages and steps. */
export function addBootRoutes(server: FastifyInstance, { store }: OperatorContext): void {
  server.get<{ Params: { id: string } }>('/api/v1/boots/:id', async (request) => {
    const { attempts } = store.lists
    const attempt = attempts.byId(request.params.id)
    if (attempt === undefined) throw notFound('boot', request.params.id)
    return {
      ...bootResource(attempt, attempts.stages(attempt.bootId), attempts.steps(attempt.bootId)),
      clock_skew_ms: attempts.clockSkewMs(attempt.bootId) ?? null,
    }
  })
}
