import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Cluster } from '../../../model/cluster.ts'
import { decideCreation } from '../../../policy/cluster/decide-creation.ts'
import { DEFAULT_ARM_SECONDS, decideArm } from '../../../policy/machine/decide-arm.ts'
import { readArmSnapshot } from '../../../store/snapshots/machine.ts'
import type { ArmBody } from './machine-routes.ts'
import type { OperatorContext } from './operator-context.ts'
import { pageBody, pageOf } from './paging.ts'
import { notFound, problemOf } from './problem.ts'
import { clusterResource, membershipResource } from './resources.ts'

const Endpoint = Type.Union([Type.String({ maxLength: 255 }), Type.Integer(), Type.Null()])

const ClusterBody = Type.Object(
  {
    name: Type.String({ maxLength: 63 }),
    expected_control_plane: Type.Integer(),
    state_kind: Type.Optional(Type.Union([Type.Literal('persistent'), Type.Literal('ephemeral')])),
    health_ca: Type.Optional(Type.String({ maxLength: 65536 })),
    services_api: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), Endpoint))),
    extra_config: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
)

interface ByName {
  Params: { name: string }
}

/** Clusters: create, list, show with members and slots, arm all machines. */
export function addClusterRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context
  const { clusters, machines, membership } = store.lists

  server.get<{ Querystring: { after?: string; limit?: string } }>('/api/v1/clusters', async (request) => {
    const page = pageOf(request.query)
    const rows = clusters.list(page.after, page.limit)
    return pageBody(
      rows,
      page,
      (row) => row.name,
      (row) => clusterResource(row, machines.ofCluster(row.id)),
    )
  })

  server.post<{ Body: Static<typeof ClusterBody> }>(
    '/api/v1/clusters',
    { schema: { body: ClusterBody } },
    async (request, reply) => {
      const { body } = request
      const wish = {
        name: body.name,
        expectedControlPlane: body.expected_control_plane,
        stateKind: body.state_kind ?? 'persistent',
        settings: {
          ...(body.health_ca === undefined ? {} : { healthCa: body.health_ca }),
          ...(body.services_api === undefined ? {} : { servicesApi: body.services_api }),
          ...(body.extra_config === undefined ? {} : { extraConfig: body.extra_config }),
        },
      } as const
      const decision = await store.decide(
        (view) => ({
          nowMs: view.nowMs,
          isNameTaken: view.clusters.byName(wish.name) !== undefined,
          freshId: randomUUID(),
        }),
        (snapshot) => decideCreation(snapshot, wish),
      )
      if (decision.reply.kind === 'refused') throw problemOf(decision.reply)
      return reply.code(201).send(show(existing(context, decision.reply.clusterId)))
    },
  )

  server.get<ByName>('/api/v1/clusters/:name', async (request) =>
    show(existing(context, request.params.name)),
  )

  server.post<ByName & { Body: Static<typeof ArmBody> | undefined }>(
    '/api/v1/clusters/:name/arm',
    async (request) => {
      const cluster = existing(context, request.params.name)
      const seconds = request.body?.for_seconds ?? DEFAULT_ARM_SECONDS
      const armed: string[] = []
      const refused: { name: string; code: string; detail: string; cure: string }[] = []
      for (const { id, name } of machines.ofCluster(cluster.id)) {
        const { reply } = await store.decide(
          (view) => {
            const machine = view.machines.byId(id)
            return machine === undefined ? undefined : readArmSnapshot(view, machine)
          },
          (snapshot) =>
            snapshot === undefined
              ? { reply: undefined, reason: 'machine-unknown', effects: [] }
              : decideArm(snapshot, seconds),
        )
        if (reply?.kind === 'done') armed.push(name)
        if (reply?.kind === 'refused')
          refused.push({ name, code: reply.code, detail: reply.detail, cure: reply.cure })
      }
      return { armed, refused }
    },
  )

  function show(cluster: Cluster) {
    return {
      ...clusterResource(cluster, machines.ofCluster(cluster.id)),
      ...membershipResource(
        membership.members(cluster.id),
        membership.slots(cluster.id),
        membership.serviceFoundings(cluster.id),
      ),
    }
  }
}

function existing({ store }: OperatorContext, nameOrId: string): Cluster {
  const cluster = store.lists.clusters.byName(nameOrId) ?? store.lists.clusters.byId(nameOrId)
  if (cluster === undefined) throw notFound('cluster', nameOrId)
  return cluster
}
