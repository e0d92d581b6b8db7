import type { FieldRule, HealthCheck } from '../../model/service.ts'

/**
 * What an endpoint turned out to be, in one word. The node's own check has the same words (docs/boot-protocol.md).
 * `wrong-field`: JSON, but not what means health. `status`: HTTP, but not 200. `unreachable`: no way to the machine.
 */
export type HealthWord =
  | 'healthy'
  | 'wrong-field'
  | 'wrong-body'
  | 'wrong-answer'
  | 'not-json'
  | 'status'
  | 'timeout'
  | 'refused'
  | 'bad-certificate'
  | 'no-tls'
  | 'not-http'
  | 'unreachable'

/** What came back when an endpoint was asked. */
export type EndpointAnswer =
  | { readonly kind: 'http'; readonly status: number; readonly body: string }
  | { readonly kind: 'dns'; readonly addresses: readonly string[] }
  | {
      readonly kind: 'failed'
      readonly word: Exclude<HealthWord, 'healthy' | `wrong-${string}` | 'not-json' | 'status'>
      readonly detail: string
    }

export interface HealthVerdict {
  readonly word: HealthWord
  /** For people: what was got and what is wanted; empty when healthy. */
  readonly detail: string
  /** The fields of a JSON answer that the catalogue names, as far as they were there. */
  readonly facts: Readonly<Record<string, string | number>>
}

/** Is this answer the one that means health? */
export function judgeHealth(check: HealthCheck, answer: EndpointAnswer): HealthVerdict {
  if (answer.kind === 'failed') return verdict(answer.word, answer.detail)
  if (answer.kind === 'dns') return judgeDns(check, answer.addresses)
  if (answer.status !== 200) return verdict('status', `status ${answer.status}, want 200`)
  switch (check.kind) {
    case 'json':
      return judgeFields(check.fields, answer.body)
    case 'text':
      return answer.body.trim() === check.body
        ? verdict('healthy', '')
        : verdict('wrong-body', `got ${JSON.stringify(answer.body.slice(0, 40))}, want ${check.body}`)
    case 'dns':
      return verdict('wrong-answer', 'HTTP where DNS was asked')
  }
}

function judgeDns(check: HealthCheck, addresses: readonly string[]): HealthVerdict {
  const wanted = check.kind === 'json' ? check.orDnsOverTls : check.kind === 'dns' ? check : undefined
  if (wanted === undefined) return verdict('wrong-answer', 'DNS where HTTP was asked')
  if (addresses.includes(wanted.address)) return verdict('healthy', '')
  const got = addresses.length === 0 ? 'no address' : addresses.join(', ')
  return verdict('wrong-answer', `${wanted.name} is ${got}, want ${wanted.address}`)
}

function judgeFields(fields: Readonly<Record<string, FieldRule>>, body: string): HealthVerdict {
  const value = parseObject(body)
  if (value === undefined)
    return verdict('not-json', `got ${JSON.stringify(body.slice(0, 40))}, want a JSON object`)
  const wrong: string[] = []
  const facts: Record<string, string | number> = {}
  for (const [name, rule] of Object.entries(fields)) {
    const field = Object.hasOwn(value, name) ? value[name] : undefined
    if (typeof field === 'number') facts[name] = field
    if (typeof field === 'string') facts[name] = field.slice(0, 64)
    if (!fits(rule, field)) wrong.push(`${name} is ${shown(field)}, want ${wantedBy(rule)}`)
  }
  return wrong.length === 0
    ? { word: 'healthy', detail: '', facts }
    : { word: 'wrong-field', detail: wrong.join('; '), facts }
}

function fits(rule: FieldRule, value: unknown): boolean {
  if (rule.type === 'integer') return Number.isInteger(value)
  return typeof value === 'string' && (rule.values === undefined || rule.values.includes(value))
}

function wantedBy(rule: FieldRule): string {
  return rule.values?.join(' or ') ?? `a value of type ${rule.type}`
}

function shown(value: unknown): string {
  return value === undefined ? 'not there' : JSON.stringify(value).slice(0, 40)
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function verdict(word: HealthWord, detail: string): HealthVerdict {
  return { word, detail, facts: {} }
}
