import { ProblemError } from './problem.ts'

/** What the validator says of one value; with its option `verbose`, the value too. */
interface Fault {
  readonly keyword: string
  /** A JSON pointer; empty: the whole body or query. */
  readonly instancePath: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string
  readonly data?: unknown
}

const LONGEST_VALUE = 60

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
}

/**
 * The problem with a body or query that has a value that its schema refuses: what it is, got, and all that would have been
 * taken there. Undefined: it is refused for something else than a schema.
 *
 * @param where What the validator looked at: `body`, `querystring`, `params` or `headers`.
 */
export function wrongValueProblem(faults: unknown, where = 'body'): ProblemError | undefined {
  if (!Array.isArray(faults)) return undefined
  const [first, ...others] = deepest(faults as readonly Fault[])
  if (first === undefined) return undefined
  const path = first.instancePath.split('/').slice(1)
  const place = path.join('.') || (where === 'querystring' ? 'the query' : 'the body')
  const missing = first.keyword === 'required' ? String(first.params.missingProperty) : undefined
  const wants = [...new Set([first, ...others].map(wantOf))]
  const field = [...path, ...(missing === undefined ? [] : [missing])].join('.')
  return new ProblemError({
    status: 400,
    code: 'malformed-body',
    title: 'Bad request',
    detail:
      missing === undefined
        ? `${place} is ${got(first.data)}, want ${wants.join(' or ')}`
        : `${field} is missing, want it in ${where === 'querystring' ? 'the query' : 'the body'}`,
    cure: 'correct it; nothing was changed',
    ...(field === '' ? {} : { field }),
  })
}

/** Of the alternatives of a schema those that fit furthest: where a text is wrong, nobody wants to hear that null is right. */
function deepest(faults: readonly Fault[]): readonly Fault[] {
  const told = faults.filter(({ keyword }) => keyword !== 'anyOf')
  const depth = Math.max(...told.map(({ instancePath }) => instancePath.split('/').length))
  return told.filter(({ instancePath }) => instancePath.split('/').length === depth)
}

function wantOf({ keyword, params, message = keyword }: Fault): string {
  if (keyword === 'const') return String(params.allowedValue)
  if (keyword === 'type') return TYPES[String(params.type)] ?? String(params.type)
  if (keyword === 'pattern') return `what matches ${params.pattern}`
  return message.replace(/^must (be )?/, '')
}

function got(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text
}
