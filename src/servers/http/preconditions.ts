import type { IncomingHttpHeaders } from 'node:http'

/** What a conditional request is measured against. */
export interface Validators {
  /** With its quotes; strong. */
  readonly etag: string
  readonly lastModifiedMs?: number
}

/** What the conditions of a request say (RFC 9110 §13.2.2), in its order. */
export function checkPreconditions(
  headers: IncomingHttpHeaders,
  { etag, lastModifiedMs }: Validators,
): 'go-on' | 'not-modified' | 'failed' {
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined) {
    if (!lists(ifMatch, etag, 'strong')) return 'failed'
  } else {
    const since = dateOf(headers['if-unmodified-since'])
    if (since !== undefined && lastModifiedMs !== undefined && inSeconds(lastModifiedMs) > since)
      return 'failed'
  }
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) return lists(ifNoneMatch, etag, 'weak') ? 'not-modified' : 'go-on'
  const since = dateOf(headers['if-modified-since'])
  return since !== undefined && lastModifiedMs !== undefined && inSeconds(lastModifiedMs) <= since
    ? 'not-modified'
    : 'go-on'
}

/** True when a Range may be served as one (RFC 9110 §13.1.5): without If-Range, or when that names what is here now. */
export function mayServeRange(headers: IncomingHttpHeaders, { etag, lastModifiedMs }: Validators): boolean {
  const ifRange = headers['if-range']
  if (typeof ifRange !== 'string') return ifRange === undefined
  if (ifRange.startsWith('"')) return ifRange === etag
  const date = dateOf(ifRange)
  return date !== undefined && lastModifiedMs !== undefined && inSeconds(lastModifiedMs) === date
}

/** `weak` comparison takes `W/"x"` for `"x"`; `strong` never does (§8.8.3.2). */
function lists(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  return header.split(',').some((part) => {
    const candidate = part.trim()
    return candidate === '*' || candidate === etag || (comparison === 'weak' && candidate === `W/${etag}`)
  })
}

const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
const TIME = String.raw`\d\d:\d\d:\d\d`
/** RFC 9110 §5.6.7: as everybody writes them, as RFC 850 did, and as asctime does, which names no zone and means GMT. */
const HTTP_DATE = new RegExp(
  String.raw`^(?:(?:[A-Z][a-z]{2}, \d\d ${MONTH} \d{4}|[A-Z][a-z]{5,8}, \d\d-${MONTH}-\d\d) ${TIME} GMT` +
    String.raw`|[A-Z][a-z]{2} ${MONTH} [ \d]\d ${TIME} \d{4})$`,
)

/** HTTP dates have seconds only; ms since 1970, or undefined for what is no such date, though `Date.parse` takes more. */
function dateOf(text: string | undefined): number | undefined {
  if (text === undefined || !HTTP_DATE.test(text)) return undefined
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}

function inSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}
