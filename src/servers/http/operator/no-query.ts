import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'

const NO_QUERY = Type.Object({}, { additionalProperties: false })

/**
 * A route of the API that has no schema for its query takes none from now on: a parameter that nobody reads would be dropped, and
 * the caller told that all is done.
 */
export function refuseUnreadQueries(server: FastifyInstance): void {
  server.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/v1/')) route.schema = { querystring: NO_QUERY, ...route.schema }
  })
}
