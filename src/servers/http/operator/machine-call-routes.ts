import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { FIRST_BOOT_STEPS } from '../../../model/first-boot.ts'
import type { Machine } from '../../../model/machine.ts'
import type { Decision } from '../../../policy/decision.ts'
import { type ArmSnapshot, DEFAULT_ARM_SECONDS, decideArm } from '../../../policy/machine/decide-arm.ts'
import { decideHold, decideRelease, type HoldSnapshot } from '../../../policy/machine/decide-hold.ts'
import {
  decideDecommission,
  decideDeletion,
  type LeavingSnapshot,
} from '../../../policy/machine/decide-leaving.ts'
import { decideReprovision } from '../../../policy/machine/decide-reprovision.ts'
import type { Refusal } from '../../../policy/refusal.ts'
import { findMachine, readArmSnapshot, readLeavingSnapshot } from '../../../store/snapshots/machine.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorUnit } from './operator-unit.ts'
import { notFound } from './problem.ts'
import { machineResource } from './resources.ts'

const Seconds = Type.Integer({ minimum: 60, maximum: 7 * 24 * 3600 })
export const ArmBody = Type.Object({ for_seconds: Type.Optional(Seconds) }, { additionalProperties: false })
const ReprovisionBody = Type.Object(
  { for_seconds: Type.Optional(Seconds), force: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
)
const ForceBody = Type.Object({ force: Type.Optional(Type.Boolean()) }, { additionalProperties: false })
export const StepBody = Type.Object(
  { step: Type.Optional(Type.Union(FIRST_BOOT_STEPS.map((step) => Type.Literal(step)))) },
  { additionalProperties: false },
)

interface ByRef {
  Params: { ref: string }
}

/** What an operator says of one machine: arm, reprovision, hold, release, decommission, delete. */
export function addMachineCallRoutes(server: FastifyInstance, context: OperatorContext): void {
  server.post<ByRef & { Body: Static<typeof ArmBody> | undefined }>(
    '/api/v1/machines/:ref/arm',
    { schema: { body: Type.Union([ArmBody, Type.Null()]) } },
    async (request) => {
      const { ref } = request.params
      const seconds = request.body?.for_seconds ?? DEFAULT_ARM_SECONDS
      const reply = await arming(context, request, (snapshot) => decideArm(snapshot, seconds))
      return { ...shown(context, ref, reply), warnings: reply?.warnings ?? [] }
    },
  )

  server.post<ByRef & { Body: Static<typeof ReprovisionBody> | undefined }>(
    '/api/v1/machines/:ref/reprovision',
    { schema: { body: Type.Union([ReprovisionBody, Type.Null()]) } },
    async (request) => {
      const { ref } = request.params
      const seconds = request.body?.for_seconds ?? DEFAULT_ARM_SECONDS
      const reply = await arming(context, request, (snapshot) =>
        decideReprovision(snapshot, seconds, request.body?.force === true),
      )
      context.prober.soon()
      return { ...shown(context, ref, reply), removing: reply?.removing ?? [] }
    },
  )

  server.post<ByRef & { Body: Static<typeof StepBody> | undefined }>(
    '/api/v1/machines/:ref/hold',
    { schema: { body: Type.Union([StepBody, Type.Null()]) } },
    async (request) => {
      const { ref } = request.params
      const reply = await leaving(context, request, (snapshot) => decideHold(snapshot, request.body?.step))
      return shown(context, ref, reply)
    },
  )

  server.post<ByRef>('/api/v1/machines/:ref/release', async (request) => {
    const { ref } = request.params
    const reply = await leaving(context, request, decideRelease)
    return shown(context, ref, reply)
  })

  server.post<ByRef & { Body: Static<typeof ForceBody> | undefined }>(
    '/api/v1/machines/:ref/decommission',
    { schema: { body: Type.Union([ForceBody, Type.Null()]) } },
    async (request) => {
      const { ref } = request.params
      await lookFirst(context, ref)
      const reply = await leaving(context, request, (snapshot) =>
        decideDecommission(snapshot, request.body?.force === true),
      )
      context.prober.soon()
      return { ...shown(context, ref, reply), removing: reply?.removing ?? [] }
    },
  )

  server.delete<ByRef>('/api/v1/machines/:ref', async (request, answer) => {
    const { ref } = request.params
    const reply = await leaving(context, request, decideDeletion)
    if (reply === undefined) throw notFound('machine', ref)
    return answer.code(204).send()
  })
}

type CallOf<Snapshot, Reply> = (snapshot: Snapshot) => Decision<Reply | Refusal>
type RefRequest = FastifyRequest<ByRef>

/** A call that arms a machine: the quorum guard looks at its cluster first. */
async function arming<Reply extends { readonly kind: string }>(
  context: OperatorContext,
  request: RefRequest,
  decide: CallOf<ArmSnapshot, Reply>,
) {
  const { ref } = request.params
  await lookFirst(context, ref)
  return operatorUnit(context, request, (view) => readArmSnapshot(view, ref, context), decide)
}

/** A call that holds a machine, lets it go on or takes it away. */
function leaving<Reply extends { readonly kind: string }>(
  context: OperatorContext,
  request: RefRequest,
  decide: CallOf<LeavingSnapshot & HoldSnapshot, Reply>,
) {
  return operatorUnit(context, request, (view) => readLeavingSnapshot(view, request.params.ref), decide)
}

/** The quorum guard believes nothing older than 10 s: the members are asked before it is. */
async function lookFirst({ store, prober }: OperatorContext, ref: string): Promise<void> {
  const clusterId = findMachine(store.lists, ref)?.clusterId
  if (clusterId !== undefined) await prober.probeNow(clusterId)
}

function shown({ store }: OperatorContext, ref: string, reply: unknown) {
  const machine: Machine | undefined = reply === undefined ? undefined : findMachine(store.lists, ref)
  if (machine === undefined) throw notFound('machine', ref)
  return machineResource(machine)
}
