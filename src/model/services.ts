import { APPLICATION } from './catalogue/application.ts'
import { CORE, FOUNDATION } from './catalogue/foundation.ts'
import type { Role } from './machine.ts'
import type { HealthCheck, Service, ServiceName } from './service.ts'

/**
 * The catalogue of the nine services, in start order. Units, health checks, graph, impact and limits are all made from
 * it. Where drawings and unit files of the cluster's documents differ, the unit files win (design §5).
 */
export const SERVICES: readonly Service[] = [...FOUNDATION, ...CORE, ...APPLICATION]

/** The services of every control-plane machine, in start order. */
export const CONTROL_PLANE_SERVICES: readonly ServiceName[] = ['chainfire', 'flaredb', 'iam']

/** What a role runs, in start order. */
export type RoleServices = Readonly<Partial<Record<Role, readonly ServiceName[]>>>

/**
 * What a role runs when its cluster says nothing else. A worker runs Chainfire and FlareDB as a member without a vote,
 * since the application services come after them on the same machine; IAM it reaches over the network.
 */
export const SERVICES_OF_ROLE: Required<RoleServices> = {
  'control-plane': CONTROL_PLANE_SERVICES,
  worker: SERVICES.map(({ name }) => name).filter((name) => name !== 'iam'),
  'all-in-one': SERVICES.map(({ name }) => name),
}

/** The services that a machine of a role runs, in the order of the catalogue. */
export function servicesOf(role: Role, own: RoleServices | undefined): readonly ServiceName[] {
  const wanted = own?.[role] ?? SERVICES_OF_ROLE[role]
  return SERVICES.map(({ name }) => name).filter((name) => wanted.includes(name))
}

export function serviceByName(name: ServiceName): Service {
  const service = SERVICES.find((candidate) => candidate.name === name)
  if (service === undefined) throw new Error(`the catalogue has no service ${name}`)
  return service
}

/** Where the server and the nodes reach a service; a null path means that the service has no such endpoint. */
export type ServicesApi = Readonly<Record<string, Readonly<Record<string, string | number | null>>>>

/** Join and set-up endpoints as a proposal, for clusters that set none: the cluster's documents name only `/health`. */
const RAFT_ENDPOINTS = {
  list: '/cluster/members',
  found: '/cluster/bootstrap',
  join: '/cluster/members',
  promote: null,
  remove: '/cluster/members',
} as const
const MORE_ENDPOINTS: ServicesApi = {
  chainfire: RAFT_ENDPOINTS,
  flaredb: RAFT_ENDPOINTS,
  iam: { setup: '/setup' },
  flashdns: { dns_port: 53 },
}

/** Port and health path of every service, and the endpoints beside them. */
export const DEFAULT_SERVICES_API: ServicesApi = Object.fromEntries(
  SERVICES.map(({ name, apiPort, healthPath }) => [
    name,
    { port: apiPort, health: healthPath, ...MORE_ENDPOINTS[name] },
  ]),
)

/** The defaults with a cluster's own settings laid over them, key by key. */
export function servicesApiOf(own: ServicesApi | undefined): ServicesApi {
  const merged: Record<string, Readonly<Record<string, string | number | null>>> = { ...DEFAULT_SERVICES_API }
  for (const [service, endpoints] of Object.entries(own ?? {})) {
    merged[service] = { ...merged[service], ...endpoints }
  }
  return merged
}

/** Base URL of a service on a machine, `https://10.77.0.11:2379`. */
export function serviceUrl(api: ServicesApi, service: ServiceName, address: string): string {
  return `https://${address}:${api[service]?.port ?? serviceByName(service).apiPort}`
}

/** The health checks of a service with the ports and the path that a cluster sets. */
export function healthChecksOf(service: Service, api: ServicesApi): readonly HealthCheck[] {
  const own = api[service.name] ?? {}
  return service.health.map((check) => {
    if (check.kind === 'dns') return { ...check, port: numberOr(own.dns_port, check.port) }
    return { ...check, port: numberOr(own.port, check.port), path: textOr(own.health, check.path) }
  })
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}
