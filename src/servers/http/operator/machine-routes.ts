import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import type { Machine } from '../../../model/machine.ts'
import { decideRegistration, type MachineWish } from '../../../policy/machine/decide-registration.ts'
import { readAttemptRecords } from '../../../store/snapshots/attempt.ts'
import { findMachine, readRegistrationSnapshot } from '../../../store/snapshots/machine.ts'
import { MachineBody, wishOf } from './machine-body.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorUnit } from './operator-unit.ts'
import { type Paged, PageQuery, pageBody, pageOf } from './paging.ts'
import { notFound } from './problem.ts'
import { bootResource, leaseResource, machineResource } from './resources.ts'

interface ByRef {
  Params: { ref: string }
}

/** Machines: register, edit, list, and their boots; leases beside them. */
export function addMachineRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store } = context

  server.get<Paged>('/api/v1/machines', { schema: { querystring: PageQuery } }, async (request) => {
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
      return reply.code(201).send(await register(context, request, undefined, wishOf(request.body, store)))
    },
  )

  server.get<ByRef>('/api/v1/machines/:ref', async (request) =>
    machineResource(existing(context, request.params.ref)),
  )

  server.patch<ByRef & { Body: Static<typeof MachineBody> }>(
    '/api/v1/machines/:ref',
    { schema: { body: MachineBody } },
    (request) => register(context, request, request.params.ref, wishOf(request.body, store)),
  )

  server.get<ByRef>('/api/v1/machines/:ref/boots', async (request) => {
    const machine = existing(context, request.params.ref)
    const { attempts } = store.lists
    const items = attempts
      .ofMachine(machine.id, 50)
      .map((attempt) => bootResource(readAttemptRecords(store.lists, attempt), store.nowMs()))
    return { items, next: null }
  })

  server.get<Paged>('/api/v1/leases', { schema: { querystring: PageQuery } }, async (request) => {
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
  request: FastifyRequest,
  ref: string | undefined,
  wish: MachineWish,
): Promise<ReturnType<typeof machineResource> & { readonly warnings: readonly string[] }> {
  const { loaders, subnets, serverAddress, imageLimits } = context
  const place = { loaders: loaders.names, subnets, serverAddress, imageLimits }
  const reply = await operatorUnit(
    context,
    request,
    (view) => {
      // Deleted meanwhile: without its machine an edit would be a registration.
      const isGone = ref !== undefined && findMachine(view, ref) === undefined
      return isGone ? undefined : readRegistrationSnapshot(view, place, ref, wish)
    },
    (snapshot) => decideRegistration(snapshot, wish),
  )
  if (reply === undefined) throw notFound('machine', ref ?? '')
  return { ...machineResource(reply.machine), warnings: reply.warnings }
}
