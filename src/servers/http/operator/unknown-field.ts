import { ProblemError } from './problem.ts'

/** What the validator says of one value; with its option `verbose`, the value and the schema of it too. */
interface Fault {
  readonly keyword?: string
  /** A JSON pointer; empty: the whole body or query. */
  readonly instancePath?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly parentSchema?: { readonly properties?: object }
}

const LONGEST_NAME = 60

/**
 * The problem with a body or query that has a field that nobody reads: it is named, with those that are known there.
 * Undefined: it is refused for something else, or not by a schema at all.
 *
 * @param where What the validator looked at: `body`, `querystring`, `params` or `headers`.
 */
export function unknownFieldProblem(faults: unknown, where = 'body'): ProblemError | undefined {
  if (!Array.isArray(faults)) return undefined
  const fault = (faults as readonly Fault[]).find(({ keyword }) => keyword === 'additionalProperties')
  const name = fault?.params?.additionalProperty
  if (fault === undefined || typeof name !== 'string') return undefined
  const path = (fault.instancePath ?? '').split('/').slice(1)
  const field = [...path, name.slice(0, LONGEST_NAME)].join('.')
  const known = Object.keys(fault.parentSchema?.properties ?? {})
  const place = [where === 'querystring' ? 'the query' : 'the body', ...path].join('.')
  return new ProblemError({
    status: 400,
    code: 'field-unknown',
    title: 'Bad request',
    detail: `${place} holds ${JSON.stringify(name.slice(0, LONGEST_NAME))}, want ${known.length === 0 ? 'none there' : `only ${known.join(', ')}`}`,
    cure: 'leave it out, or correct its name; nothing was changed',
    field,
  })
}
