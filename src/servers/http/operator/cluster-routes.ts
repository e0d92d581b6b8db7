import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { decideCreation } from '../../../policy/cluster/decide-creation.ts'
import { DEFAULT_ARM_SECONDS, decideArm } from '../../../policy/machine/decide-arm.ts'
import { readArmSnapshot } from '../../../store/snapshots/machine.ts'
import { ClusterBody, settingsOf } from './cluster-body.ts'
import { wholeCluster } from './cluster-resource.ts'
import { existingCluster } from './existing-cluster.ts'
import { ArmBody } from './machine-call-routes.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorUnit } from './operator-unit.ts'
import { type Paged, PageQuery, pageBody, pageOf } from './paging.ts'
import { ProblemError } from './problem.ts'
import { clusterResource } from './resources.ts'

interface ByName {
  Params: { name: string }
}

/** Clusters: create, list, show with members and slots, arm all machines. */
export function addClusterRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context
  const { clusters, machines } = store.lists

  server.get<Paged>('/api/v1/clusters', { schema: { querystring: PageQuery } }, async (request) => {
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
        settings: settingsOf(body),
      } as const
      const made = await operatorUnit(
        context,
        request,
        (view) => ({
          nowMs: view.nowMs,
          isNameTaken: view.clusters.byName(wish.name) !== undefined,
          freshId: randomUUID(),
        }),
        (snapshot) => decideCreation(snapshot, wish),
      )
      return reply
        .code(201)
        .send(wholeCluster(context, existingCluster(context, made?.clusterId ?? wish.name)))
    },
  )

  server.get<ByName>('/api/v1/clusters/:name', async (request) =>
    wholeCluster(context, existingCluster(context, request.params.name)),
  )

  server.post<ByName & { Body: Static<typeof ArmBody> | undefined }>(
    '/api/v1/clusters/:name/arm',
    { schema: { body: Type.Union([ArmBody, Type.Null()]) } },
    async (request) => {
      const cluster = existingCluster(context, request.params.name)
      const seconds = request.body?.for_seconds ?? DEFAULT_ARM_SECONDS
      const armed: string[] = []
      const warnings = new Set<string>()
      await context.prober.probeNow(cluster.id)
      const refused: { name: string; code: string; detail: string; cure: string }[] = []
      for (const { id, name } of machines.ofCluster(cluster.id)) {
        const reply = await armOne(request, id, seconds)
        if (reply === undefined) continue
        if (reply instanceof ProblemError) {
          const { code, detail, cure = '' } = reply.problem
          refused.push({ name, code, detail, cure })
        } else {
          armed.push(name)
          for (const warning of reply.warnings) warnings.add(warning)
        }
      }
      return { armed, refused, warnings: [...warnings] }
    },
  )

  /** A refusal of one machine does not stop the others. */
  async function armOne(request: FastifyRequest, id: string, seconds: number) {
    try {
      return await operatorUnit(
        context,
        request,
        (view) => readArmSnapshot(view, id, context),
        (snapshot) => decideArm(snapshot, seconds),
        id,
      )
    } catch (error) {
      if (error instanceof ProblemError) return error
      throw error
    }
  }
}
