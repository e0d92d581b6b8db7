import type { Cluster } from '../../model/cluster.ts'
import { SERVICE_NAMES, type ServiceName } from '../../model/service.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'

/** What the server shows a service of a cluster: the value of an `Authorization` header; null takes it away. */
export interface CredentialWish {
  readonly service: string
  readonly authorization: string | null
}

export interface CredentialSnapshot extends Moment {
  readonly cluster: Cluster
  /** Services that have one. */
  readonly services: readonly string[]
}

export type CredentialReply = { readonly kind: 'done'; readonly service: ServiceName } | Refusal

/** One line of a header (RFC 9110 §5.5), without spaces at its ends. */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/

/** Takes or drops a credential for the server's own calls. No event, answer or log holds the text. */
export function decideCredential(
  { cluster, services, nowMs }: CredentialSnapshot,
  { service, authorization }: CredentialWish,
): Decision<CredentialReply> {
  const name = SERVICE_NAMES.find((known) => known === service)
  const wrong = name === undefined ? unknownService(service) : fault(cluster, authorization)
  if (wrong !== undefined || name === undefined)
    return { reply: wrong ?? unknownService(service), reason: wrong?.code ?? '', effects: [] }
  const common = { clusterId: cluster.id, service: name }
  const hasOne = services.includes(name)
  const effects: Effect[] =
    authorization === null
      ? [{ kind: 'drop-service-credential', ...common }]
      : [{ kind: 'put-service-credential', ...common, text: authorization }]
  const what = authorization === null ? 'dropped' : hasOne ? 'replaced' : 'set'
  if (authorization !== null || hasOne)
    effects.push(clusterEvent(cluster, nowMs, 'cluster.credential', { service: name, what }))
  return { reply: { kind: 'done', service: name }, reason: what, effects }
}

function unknownService(service: string): Refusal {
  const detail = `${JSON.stringify(service.slice(0, 40))} is no service, want one of ${SERVICE_NAMES.join(', ')}`
  return refusal(422, 'service-unknown', detail, 'name one of them', 'service')
}

function fault({ name, founding, settings }: Cluster, authorization: string | null): Refusal | undefined {
  if (founding.state === 'closed')
    return refusal(409, 'cluster-closed', `${name} is deleted`, 'create another: pilotlight cluster create')
  if (authorization === null) return undefined
  if (!HEADER_VALUE.test(authorization)) {
    // What was got is not repeated: it is a secret, or most of one.
    const detail = `authorization has ${authorization.length} characters, want 1 to 4096 printable ASCII ones in one line`
    return refusal(
      422,
      'authorization-malformed',
      detail,
      'give the whole header value, as in Bearer TOKEN',
      'authorization',
    )
  }
  if (settings.healthCa === undefined) {
    const detail = `${name} names no CA, and a credential goes only to who has a certificate of it`
    return refusal(409, 'no-health-ca', detail, `pilotlight cluster set ${name} --health-ca FILE`)
  }
  return undefined
}
