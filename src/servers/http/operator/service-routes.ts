import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { graphSvg, type NodeHealth } from '../../../model/graph-svg.ts'
import type { Machine } from '../../../model/machine.ts'
import type { Service } from '../../../model/service.ts'
import { graphDot, serviceGraph } from '../../../model/service-graph.ts'
import { SERVICES, SERVICES_OF_ROLE } from '../../../model/services.ts'
import { decideIamPassword } from '../../../policy/cluster/decide-iam-password.ts'
import { readIamPasswordSnapshot } from '../../../store/snapshots/iam-password.ts'
import { clusterAccess } from '../../cluster-access.ts'
import { type CheckedMachine, type ClusterCheck, checkCluster } from '../../health/check-cluster.ts'
import { existingCluster } from './existing-cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorOf } from './operator-unit.ts'
import { ProblemError, problemOf } from './problem.ts'

const FORMATS = ['json', 'dot', 'svg'] as const

const GraphQuery = Type.Object(
  { format: Type.Optional(Type.String()), cluster: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

interface ByName {
  Params: { name: string }
}

/** The catalogue of services, its graph, a cluster's health as the server sees it, and IAM's first password. */
export function addServiceRoutes(server: FastifyInstance, context: OperatorContext): void {
  server.get('/api/v1/services', async () => ({
    items: SERVICES.map(serviceResource),
    services_of_role: SERVICES_OF_ROLE,
    next: null,
  }))

  server.get<{ Querystring: Static<typeof GraphQuery> }>(
    '/api/v1/services/graph',
    { schema: { querystring: GraphQuery } },
    async (request, reply) => {
      const { format = 'json', cluster } = request.query
      if (!FORMATS.some((known) => known === format)) {
        throw new ProblemError({
          status: 422,
          code: 'format-malformed',
          title: 'Unprocessable',
          detail: `format is ${JSON.stringify(format.slice(0, 20))}, want one of ${FORMATS.join(', ')}`,
          field: 'format',
        })
      }
      const graph = serviceGraph()
      if (format === 'json') return graph
      if (format === 'dot') return reply.type('text/vnd.graphviz').send(graphDot(graph))
      const health = cluster === undefined ? undefined : healthOf(await check(context, cluster))
      return reply.type('image/svg+xml').send(graphSvg(graph, health))
    },
  )

  server.get<ByName>('/api/v1/clusters/:name/check', async (request, reply) => {
    const cluster = existingCluster(context, request.params.name)
    const result = await check(context, cluster.name)
    reply.header('cache-control', 'no-store')
    return checkResource(cluster.name, result)
  })

  server.post<ByName>('/api/v1/clusters/:name/iam-password', async (request, reply) => {
    const { id } = existingCluster(context, request.params.name)
    // Not by `operatorUnit`: it keeps answers for repeats, and this one must be kept nowhere.
    const { reply: answer } = await context.store.decide(
      (view) => readIamPasswordSnapshot(view, id),
      (snapshot) => decideIamPassword(snapshot, operatorOf(context, request)),
    )
    if (answer.kind === 'refused') throw problemOf(answer)
    reply.header('cache-control', 'no-store')
    return { admin_user: answer.user, admin_password: answer.password }
  })
}

function serviceResource(service: Service) {
  return {
    name: service.name,
    title: service.title,
    purpose: service.purpose,
    level: service.level,
    critical: service.critical ?? null,
    type: service.unitType,
    after: service.after,
    requires: service.requires,
    wants: service.wants,
    ports: service.ports,
    data_directory: service.dataDirectory ?? null,
    backend: service.backend ?? null,
    start_seconds: service.startSeconds,
    timeout_start_seconds: service.timeoutStartSeconds,
    health: service.health.map((endpoint) => {
      if (endpoint.kind !== 'json') return endpoint
      const { orDnsOverTls, ...rest } = endpoint
      return { ...rest, or_dns_over_tls: orDnsOverTls !== undefined }
    }),
    impact: service.impact,
    mitigation: service.mitigation,
  }
}

interface CheckedCluster {
  readonly result: ClusterCheck
  /** Machines that have no configuration yet, and so no services. */
  readonly notStarted: readonly string[]
}

async function check({ store }: Pick<OperatorContext, 'store'>, name: string): Promise<CheckedCluster> {
  const cluster = existingCluster({ store }, name)
  const machines = store.lists.machines.ofCluster(cluster.id)
  const members = store.lists.membership.members(cluster.id)
  const checked: CheckedMachine[] = []
  const notStarted: string[] = []
  for (const machine of machines) {
    const address = addressOf({ store }, machine)
    if (address === undefined) notStarted.push(machine.name)
    else {
      const votes = members.some((row) => row.machineId === machine.id && row.voter && row.state === 'member')
      checked.push({ machine, address, votes })
    }
  }
  return { result: await checkCluster(clusterAccess(store, cluster), checked), notStarted }
}

/** The address that its current boot redeemed its configuration from: there its services are. */
function addressOf(
  { store }: Pick<OperatorContext, 'store'>,
  { currentBootId }: Machine,
): string | undefined {
  return currentBootId === undefined ? undefined : store.lists.redemptions.ofBoot(currentBootId)?.address
}

function checkResource(name: string, { result, notStarted }: CheckedCluster) {
  return {
    cluster: name,
    healthy: result.healthy,
    endpoints: result.results.map(({ verdict, speaks, ...rest }) => ({
      ...rest,
      result: verdict.word,
      detail: verdict.detail,
      facts: verdict.facts,
      ...(speaks === undefined ? {} : { speaks }),
    })),
    quorum: result.quorum,
    outages: result.outages,
    not_started: notStarted,
  }
}

function healthOf({ result }: CheckedCluster): ReadonlyMap<string, NodeHealth> {
  const health = new Map<string, NodeHealth>(result.results.map(({ service }) => [service, 'healthy']))
  for (const { service, extent } of result.outages)
    health.set(service, extent === 'all' ? 'all-ill' : 'some-ill')
  return health
}
