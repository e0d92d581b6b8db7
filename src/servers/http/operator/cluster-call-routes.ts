import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { GATED_STEPS, type GatedStep } from '../../../model/first-boot.ts'
import { decideClusterDeletion } from '../../../policy/cluster/decide-cluster-deletion.ts'
import {
  decideClusterHold,
  decideClusterRelease,
  decideFleetHold,
  decideFleetRelease,
} from '../../../policy/cluster/decide-cluster-hold.ts'
import { decideFlaredbMove } from '../../../policy/cluster/decide-flaredb-move.ts'
import { type ClusterReply, decideFoundingMove } from '../../../policy/cluster/decide-move.ts'
import { decideRefound } from '../../../policy/cluster/decide-refound.ts'
import { decideMemberForget, decideSlotFree } from '../../../policy/cluster/decide-slot.ts'
import { decideUnfreeze } from '../../../policy/cluster/decide-unfreeze.ts'
import type { ClusterPicture } from '../../../policy/cluster/picture.ts'
import type { Decision } from '../../../policy/decision.ts'
import { DEFAULT_ARM_SECONDS } from '../../../policy/machine/decide-arm.ts'
import { findMachine } from '../../../store/snapshots/machine.ts'
import { findCluster, readPicture } from '../../../store/snapshots/picture.ts'
import { StepBody } from './machine-call-routes.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorUnit } from './operator-unit.ts'
import { notFound, ProblemError } from './problem.ts'

const Name = Type.String({ minLength: 1, maxLength: 255 })
const Seconds = Type.Integer({ minimum: 60, maximum: 7 * 24 * 3600 })
const MoveBody = Type.Object(
  {
    to: Name,
    service: Type.Optional(Type.Literal('flaredb')),
    holder_is_off: Type.Optional(Type.Boolean()),
    discard_state: Type.Optional(Name),
    for_seconds: Type.Optional(Seconds),
  },
  { additionalProperties: false },
)
const RefoundBody = Type.Object(
  { machine: Name, discard_state: Type.Optional(Name), for_seconds: Type.Optional(Seconds) },
  { additionalProperties: false },
)
const UnfreezeBody = Type.Object(
  { as: Type.Union([Type.Literal('open'), Type.Literal('founded')]) },
  { additionalProperties: false },
)
const ForceBody = Type.Object({ force: Type.Optional(Type.Boolean()) }, { additionalProperties: false })

interface ByName {
  Params: { name: string }
}

/** What an operator says of a cluster's founding, slots and members, and of the whole fleet (founding.md §7). */
export function addClusterCallRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { addresses, store } = context

  /** Looks at the members first, then decides from the cluster whole. */
  async function about(
    request: FastifyRequest<ByName>,
    decide: (picture: ClusterPicture) => Decision<ClusterReply>,
  ) {
    const { name } = request.params
    const known = findCluster(store.lists, name)
    if (known !== undefined) await context.prober.probeNow(known.id)
    const reply = await operatorUnit(
      context,
      request,
      (view) => {
        const cluster = findCluster(view, name)
        return cluster && readPicture(view, cluster.id, view.nowMs)
      },
      (picture) => decide(picture),
    )
    if (reply === undefined) throw notFound('cluster', name)
    context.prober.soon()
    return { cluster_id: reply.clusterId, notes: reply.notes }
  }

  function machineIn(picture: ClusterPicture, ref: string) {
    const id = findMachine(store.lists, ref)?.id
    const machine = picture.machines.find((candidate) => candidate.id === id)
    if (machine !== undefined) return machine
    throw new ProblemError({
      status: 422,
      code: 'machine-elsewhere',
      title: 'Unprocessable',
      detail: `${JSON.stringify(ref.slice(0, 100))} is no machine of ${picture.cluster.name}`,
      cure: `pilotlight cluster show ${picture.cluster.name}`,
    })
  }

  server.post<ByName & { Body: Static<typeof MoveBody> }>(
    '/api/v1/clusters/:name/founding/move',
    { schema: { body: MoveBody } },
    (request) =>
      about(request, (picture) => {
        const { to, service, holder_is_off, discard_state, for_seconds } = request.body
        const machine = machineIn(picture, to)
        const isHolderOff = holder_is_off === true
        if (service === 'flaredb') {
          const discards = discard_state === undefined ? {} : { discardsStateOf: discard_state }
          return decideFlaredbMove(picture, { to: machine, isHolderOff, ...discards })
        }
        if (discard_state !== undefined) throw discardWithoutService(picture.cluster.name)
        const armSeconds = for_seconds ?? DEFAULT_ARM_SECONDS
        return decideFoundingMove(picture, { to: machine, addresses, armSeconds, isHolderOff })
      }),
  )

  server.post<ByName & { Body: Static<typeof RefoundBody> }>(
    '/api/v1/clusters/:name/refound',
    { schema: { body: RefoundBody } },
    (request) =>
      about(request, (picture) => {
        const { machine, discard_state, for_seconds } = request.body
        return decideRefound(picture, {
          machine: machineIn(picture, machine),
          addresses,
          armSeconds: for_seconds ?? DEFAULT_ARM_SECONDS,
          ...(discard_state === undefined ? {} : { discardsStateOf: discard_state }),
        })
      }),
  )

  server.post<ByName & { Body: Static<typeof UnfreezeBody> }>(
    '/api/v1/clusters/:name/unfreeze',
    { schema: { body: UnfreezeBody } },
    (request) => about(request, (picture) => decideUnfreeze(picture, request.body.as)),
  )

  server.post<{ Params: { name: string; step: string } }>(
    '/api/v1/clusters/:name/slots/:step/free',
    (request) => {
      const step = GATED_STEPS.find((candidate) => candidate === request.params.step)
      if (step === undefined) throw unknownStep(request.params.step)
      return about(request, (picture) => decideSlotFree(picture, step))
    },
  )

  server.post<{ Params: { name: string; member: string } } & { Body: Static<typeof ForceBody> | undefined }>(
    '/api/v1/clusters/:name/members/:member/forget',
    { schema: { body: Type.Union([ForceBody, Type.Null()]) } },
    (request) =>
      about(request as unknown as FastifyRequest<ByName>, (picture) =>
        decideMemberForget(picture, request.params.member, request.body?.force === true),
      ),
  )

  server.post<ByName & { Body: Static<typeof StepBody> | undefined }>(
    '/api/v1/clusters/:name/hold',
    { schema: { body: Type.Union([StepBody, Type.Null()]) } },
    (request) =>
      about(request as unknown as FastifyRequest<ByName>, (picture) =>
        decideClusterHold(picture, request.body?.step),
      ),
  )

  server.post<ByName>('/api/v1/clusters/:name/release', (request) =>
    about(request, (picture) => decideClusterRelease(picture)),
  )

  server.delete<ByName>('/api/v1/clusters/:name', async (request, answer) => {
    await about(request, (picture) => decideClusterDeletion(picture))
    return answer.code(204).send()
  })

  addFleetRoutes(server, context)
}

function addFleetRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context
  server.get('/api/v1/fleet', async () => {
    const hold = store.lists.calls.fleetHold()
    return { held: hold !== undefined, step: hold?.step ?? null }
  })
  for (const verb of ['hold', 'release'] as const) {
    server.post<{ Body: Static<typeof StepBody> | undefined }>(
      `/api/v1/fleet/${verb}`,
      { schema: { body: Type.Union([StepBody, Type.Null()]) } },
      async (request) => {
        const reply = await operatorUnit(
          context,
          request,
          (view) => {
            const hold = view.calls.fleetHold()
            const machines = verb === 'hold' ? view.machines.list('', 1_000_000) : []
            return { nowMs: view.nowMs, machines, ...(hold === undefined ? {} : { hold }) }
          },
          (snapshot) =>
            verb === 'hold' ? decideFleetHold(snapshot, request.body?.step) : decideFleetRelease(snapshot),
        )
        return { held: reply?.held ?? false, step: reply?.step ?? null }
      },
    )
  }
}

function unknownStep(step: string): ProblemError {
  return new ProblemError({
    status: 422,
    code: 'step-unknown',
    title: 'Unprocessable',
    detail: `${JSON.stringify(step.slice(0, 64))} has no slot, want one of ${(GATED_STEPS as readonly GatedStep[]).join(', ')}`,
    field: 'step',
  })
}

function discardWithoutService(cluster: string): ProblemError {
  return new ProblemError({
    status: 422,
    code: 'service-missing',
    title: 'Unprocessable',
    detail: 'discard_state gives up the state of one service, and no service is named',
    cure: `--service flaredb; all of a founded cluster is given up by pilotlight cluster refound ${cluster}`,
  })
}
