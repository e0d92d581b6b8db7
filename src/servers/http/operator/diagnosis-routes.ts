import type { FastifyInstance } from 'fastify'
import { driftOf } from '../../../policy/diagnosis/drift.ts'
import { readRunningState } from '../../../store/snapshots/drift.ts'
import { findMachine } from '../../../store/snapshots/machine.ts'
import { diagnosisResource } from './diagnosis-resource.ts'
import type { OperatorContext } from './operator-context.ts'
import { notFound } from './problem.ts'

/** So many machines of a cluster are diagnosed at once: each may mean questions to its services. */
const AT_ONCE = 16

interface ByRef {
  Params: { ref: string }
}

/**
 * `GET /api/v1/machines/{ref}/diagnosis`: where a machine stands and why it does not move on.
 * `GET /api/v1/clusters/{ref}/diagnosis`: the same for every machine of a cluster, its clock, and where what it runs differs
 * from what it should.
 */
export function addDiagnosisRoutes(server: FastifyInstance, context: OperatorContext): void {
  const { store, stallWatch } = context

  server.get<ByRef>('/api/v1/machines/:ref/diagnosis', async (request) => {
    const machine = findMachine(store.lists, request.params.ref)
    if (machine === undefined) throw notFound('machine', request.params.ref)
    return diagnosisResource(context, machine, await stallWatch.diagnose(machine))
  })

  server.get<ByRef>('/api/v1/clusters/:ref/diagnosis', async (request) => {
    const { clusters, machines } = store.lists
    const cluster = clusters.byName(request.params.ref) ?? clusters.byId(request.params.ref)
    if (cluster === undefined) throw notFound('cluster', request.params.ref)
    const all = machines.ofCluster(cluster.id)
    const items: ReturnType<typeof diagnosisResource>[] = []
    for (let first = 0; first < all.length; first += AT_ONCE) {
      const some = all.slice(first, first + AT_ONCE)
      items.push(
        ...(await Promise.all(
          some.map(async (machine) =>
            diagnosisResource(context, machine, await stallWatch.diagnose(machine)),
          ),
        )),
      )
    }
    const drift = all.flatMap((machine) => {
      const state = readRunningState(store.lists, machine, cluster)
      return state === undefined ? [] : driftOf(state).map((row) => ({ name: machine.name, ...row }))
    })
    return { cluster: cluster.name, machines: items, drift }
  })
}
