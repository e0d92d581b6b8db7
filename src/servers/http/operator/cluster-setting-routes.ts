import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { decideClusterEdit } from '../../../policy/cluster/decide-cluster-edit.ts'
import { decideCredential } from '../../../policy/cluster/decide-credential.ts'
import { readPicture } from '../../../store/snapshots/picture.ts'
import { ClusterEditBody, editOf } from './cluster-body.ts'
import { wholeCluster } from './cluster-resource.ts'
import { existingCluster } from './existing-cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorUnit } from './operator-unit.ts'
import { notFound } from './problem.ts'

const CredentialBody = Type.Object(
  { authorization: Type.String({ maxLength: 8192 }) },
  { additionalProperties: false },
)

interface OfService {
  Params: { name: string; service: string }
}

/** What is set for a cluster after it was created, and the credentials for the server's own calls of its services. */
export function addClusterSettingRoutes(server: FastifyInstance, context: OperatorContext): void {
  server.patch<{ Params: { name: string }; Body: Static<typeof ClusterEditBody> }>(
    '/api/v1/clusters/:name',
    { schema: { body: ClusterEditBody } },
    async (request) => {
      const { id, name } = existingCluster(context, request.params.name)
      const reply = await operatorUnit(
        context,
        request,
        (view) => readPicture(view, id, view.nowMs),
        (picture) => decideClusterEdit(picture, editOf(request.body)),
      )
      if (reply === undefined) throw notFound('cluster', name)
      // Another CA, port or path: what it is worth shows at once.
      context.prober.soon()
      return { ...wholeCluster(context, existingCluster(context, id)), notes: reply.notes }
    },
  )

  server.put<OfService & { Body: Static<typeof CredentialBody> }>(
    '/api/v1/clusters/:name/credentials/:service',
    { schema: { body: CredentialBody } },
    async (request, reply) => {
      await credential(request, request.body.authorization)
      return reply.code(204).send()
    },
  )

  server.delete<OfService>('/api/v1/clusters/:name/credentials/:service', async (request, reply) => {
    await credential(request, null)
    return reply.code(204).send()
  })

  async function credential(request: FastifyRequest<OfService>, authorization: string | null): Promise<void> {
    const { id } = existingCluster(context, request.params.name)
    const { service } = request.params
    await operatorUnit(
      context,
      request,
      (view) => {
        const cluster = view.clusters.byId(id)
        const services = view.secrets.servicesWithCredential(id)
        return cluster === undefined ? undefined : { nowMs: view.nowMs, cluster, services }
      },
      (snapshot) => decideCredential(snapshot, { service, authorization }),
    )
    context.prober.soon()
  }
}
