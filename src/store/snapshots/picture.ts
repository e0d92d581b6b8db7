import type { Cluster } from '../../model/cluster.ts'
import type { ClusterPicture } from '../../policy/cluster/picture.ts'
import type { Tables } from '../tables/tables.ts'
import { knownAddress } from './redeem.ts'

/** What a picture is read from: the writing connection's tables, or the lists'. */
export type PictureView = Pick<Tables, 'clusters' | 'machines' | 'attempts' | 'membership' | 'redemptions'>

/** A cluster by name or id, as operators write it. */
export function findCluster(tables: Pick<Tables, 'clusters'>, ref: string): Cluster | undefined {
  return tables.clusters.byName(ref) ?? tables.clusters.byId(ref)
}

/** Reads one cluster whole; undefined when it is not there. */
export function readPicture(view: PictureView, clusterId: string, nowMs: number): ClusterPicture | undefined {
  const cluster = view.clusters.byId(clusterId)
  if (cluster === undefined) return undefined
  const machines = view.machines.ofCluster(clusterId)
  const members = view.membership.members(clusterId)
  const slots = view.membership.allSlots(clusterId)
  const bootIds = new Set(
    [
      cluster.founding.holderBootId,
      ...machines.map((machine) => machine.currentBootId),
      ...machines.map((machine) => view.attempts.latestOf(machine.id)?.bootId),
      ...slots.map((slot) => slot.bootId),
    ].filter((bootId) => bootId !== undefined),
  )
  const succeededSteps = new Set<string>()
  const open = members.filter(
    (row) => row.state === 'lost' || row.state === 'removed' || row.state === 'joining',
  )
  const asked = new Set([...open.map((row) => row.bootId), ...slots.map((slot) => slot.bootId)])
  for (const bootId of asked) {
    if (bootId === undefined || !bootIds.has(bootId)) continue
    for (const step of view.attempts.steps(bootId)) {
      if (step.state === 'succeeded' || step.state === 'implied') succeededSteps.add(`${bootId} ${step.step}`)
    }
  }
  const { holderBootId } = cluster.founding
  return {
    nowMs,
    cluster,
    machines,
    members,
    slots,
    succeededSteps,
    attempts: [...bootIds].map((bootId) => view.attempts.byId(bootId)).filter((boot) => boot !== undefined),
    serviceFoundings: view.membership.serviceFoundings(clusterId),
    addresses: new Map(
      machines.flatMap((machine) => {
        const address = knownAddress(view, machine)
        return address === undefined ? [] : [[machine.id, address] as const]
      }),
    ),
    holderHasReported: holderBootId !== undefined && view.attempts.steps(holderBootId).length > 0,
  }
}
