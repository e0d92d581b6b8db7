import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Machine } from '../../../model/machine.ts'
import type { Decision } from '../../../policy/decision.ts'
import { DEFAULT_ARM_SECONDS, decideArm } from '../../../policy/machine/decide-arm.ts'
import { decideDeletion, decideHold, decideRelease } from '../../../policy/machine/decide-hold.ts'
import { decideRegistration, type MachineWish } from '../../../policy/machine/decide-registration.ts'
import type { Refusal } from '../../../policy/refusal.ts'
import { findMachine, readArmSnapshot, readRegistrationSnapshot } from '../../../store/snapshots/machine.ts'
import type { View } from '../../../store/store.ts'
import { MachineBody, wishOf } from './machine-body.ts'
import type { OperatorContext } from './operator-context.ts'
import { pageBody, pageOf } from './paging.ts'
import { notFound, problemOf } from './problem.ts'
import { bootResource, leaseResource, machineResource } from './resources.ts'

export const ArmBody = Type.Object(
  { for_seconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 7 * 24 * 3600 })) },
  { additionalProperties: false },
)

interface ByRef {
  Params: { ref: string }
}

/** Machines: register, edit, list, arm, hold, release, delete, and their boots; leases beside them. */
export function addMachineRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context

  server.get<{ Querystring: { after?: string; limit?: string } }>('/api/v1/machines', async (request) => {
    const page = pageOf(request.query)
    return pageBody(
      store.lists.machines.list(page.after, page.limit),
      page,
      (machine) => machine.name,
      machineResource,
    )
  })

  server.post<{ Body: Static<typeof MachineBody> }>(
    '/api/v1/machines',
    { schema: { body: MachineBody } },
    async (request, reply) => {
      const machine = await register(context, undefined, wishOf(request.body, store))
      return reply.code(201).send(machineResource(machine))
    },
  )

  server.get<ByRef>('/api/v1/machines/:ref', async (request) =>
    machineResource(existing(context, request.params.ref)),
  )

  server.patch<ByRef & { Body: Static<typeof MachineBody> }>(
    '/api/v1/machines/:ref',
    { schema: { body: MachineBody } },
    async (request) => {
      existing(context, request.params.ref)
      return machineResource(await register(context, request.params.ref, wishOf(request.body, store)))
    },
  )

  server.post<ByRef & { Body: Static<typeof ArmBody> | undefined }>(
    '/api/v1/machines/:ref/arm',
    async (request) => {
      const seconds = request.body?.for_seconds ?? DEFAULT_ARM_SECONDS
      return change(context, request.params.ref, (view, machine) =>
        decideArm(readArmSnapshot(view, machine), seconds),
      )
    },
  )

  server.post<ByRef>('/api/v1/machines/:ref/hold', async (request) =>
    change(context, request.params.ref, (view, machine) => decideHold({ nowMs: view.nowMs, machine })),
  )

  server.post<ByRef>('/api/v1/machines/:ref/release', async (request) =>
    change(context, request.params.ref, (view, machine) => {
      const boot = machine.currentBootId === undefined ? undefined : view.attempts.byId(machine.currentBootId)
      return decideRelease({ nowMs: view.nowMs, machine }, boot !== undefined && boot.endedAtMs === undefined)
    }),
  )

  server.delete<ByRef>('/api/v1/machines/:ref', async (request, reply) => {
    const machine = existing(context, request.params.ref)
    await change(
      context,
      machine.id,
      (view, found) => decideDeletion({ nowMs: view.nowMs, machine: found }),
      false,
    )
    return reply.code(204).send()
  })

  server.get<ByRef>('/api/v1/machines/:ref/boots', async (request) => {
    const machine = existing(context, request.params.ref)
    const { attempts } = store.lists
    const items = attempts
      .ofMachine(machine.id, 50)
      .map((attempt) =>
        bootResource(attempt, attempts.stages(attempt.bootId), attempts.steps(attempt.bootId)),
      )
    return { items, next: null }
  })

  server.get<{ Querystring: { after?: string; limit?: string } }>('/api/v1/leases', async (request) => {
    const page = pageOf(request.query)
    const [subnet = '', mac = ''] = page.after.split(' ')
    return pageBody(
      store.lists.leases.list(subnet, mac, page.limit),
      page,
      (lease) => `${lease.subnet} ${lease.mac}`,
      leaseResource,
    )
  })
}

function existing({ store }: OperatorContext, ref: string): Machine {
  const machine = findMachine(store.lists, ref)
  if (machine === undefined) throw notFound('machine', ref)
  return machine
}

async function register(
  context: OperatorContext,
  ref: string | undefined,
  wish: MachineWish,
): Promise<Machine> {
  const { store, loaders, subnets, serverAddress } = context
  const place = { loaders: loaders.names, subnets, serverAddress }
  const { reply } = await store.decide(
    (view) => readRegistrationSnapshot(view, place, ref, wish),
    (snapshot) => decideRegistration(snapshot, wish),
  )
  if (reply.kind === 'refused') throw problemOf(reply)
  return reply.machine
}

/** Carries out an operator's word about one machine and answers with the machine after it. */
async function change(
  context: OperatorContext,
  ref: string,
  decide: (view: View, machine: Machine) => Decision<{ readonly kind: 'done' } | Refusal>,
  answers = true,
) {
  const { store } = context
  const { reply } = await store.decide(
    (view) => {
      const machine = findMachine(view, ref)
      return machine === undefined ? undefined : decide(view, machine)
    },
    (decision) => decision ?? { reply: undefined, reason: 'machine-unknown', effects: [] },
  )
  if (reply === undefined) throw notFound('machine', ref)
  if (reply.kind === 'refused') throw problemOf(reply)
  return answers ? machineResource(existing(context, ref)) : undefined
}
