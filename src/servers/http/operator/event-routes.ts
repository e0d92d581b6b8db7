import type { FastifyInstance } from 'fastify'
import type { OperatorContext } from './operator-context.ts'
import { type Paged, PageQuery, pageOf } from './paging.ts'
import { malformed } from './problem.ts'
import { eventResource } from './resources.ts'

/**
 * `GET /api/v1/events?after=SEQ`: the feed in order, to be asked again with the last `seq`. Where events after SEQ were
 * dropped since, `dropped_to` says up to which `seq` there may be gaps: whoever fell behind so far has missed some.
 */
export function addEventRoutes(server: FastifyInstance, { store }: OperatorContext): void {
  server.get<Paged>('/api/v1/events', { schema: { querystring: PageQuery } }, async (request) => {
    const page = pageOf(request.query)
    if (!/^\d{0,15}$/.test(page.after)) throw malformed('after', page.after, 'the `seq` of an event, or 0')
    const after = Number(page.after)
    const rows = store.lists.events.after(after, page.limit)
    const droppedTo = store.lists.events.droppedTo()
    return {
      items: rows.map(eventResource),
      next: rows.at(-1)?.seq ?? after,
      ...(after < droppedTo ? { dropped_to: droppedTo } : {}),
    }
  })
}
