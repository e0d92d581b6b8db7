import { type Static, Type } from 'typebox'
import { ProblemError } from './problem.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000

/** What the query of a list may say. */
export const PageQuery = Type.Object(
  { after: Type.Optional(Type.String()), limit: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

/** A list's route. */
export interface Paged {
  Querystring: Static<typeof PageQuery>
}

/** The page that a request asks for: after which key, and how many. */
export interface Page {
  readonly after: string
  readonly limit: number
}

export function pageOf(query: Static<typeof PageQuery>): Page {
  const text = query.limit ?? String(DEFAULT_LIMIT)
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > MAX_LIMIT) {
    throw new ProblemError({
      status: 422,
      code: 'limit-malformed',
      title: 'Unprocessable',
      detail: `limit is ${JSON.stringify(text.slice(0, 20))}, want 1 to ${MAX_LIMIT}`,
      field: 'limit',
    })
  }
  return { after: (query.after ?? '').slice(0, 255), limit: Number(text) }
}

/** A list with the key to go on after; stable, because keys are and rows come in their order. */
export function pageBody<Item, Resource>(
  rows: readonly Item[],
  page: Page,
  keyOf: (item: Item) => string | number,
  toResource: (item: Item) => Resource,
) {
  const last = rows.at(-1)
  return {
    items: rows.map(toResource),
    next: last !== undefined && rows.length === page.limit ? keyOf(last) : null,
  }
}
