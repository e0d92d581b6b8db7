import type { Cluster } from '../../../model/cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import { notFound } from './problem.ts'

/** The cluster of a route's parameter, by name or id; the problem document when there is none. */
export function existingCluster({ store }: Pick<OperatorContext, 'store'>, nameOrId: string): Cluster {
  const cluster = store.lists.clusters.byName(nameOrId) ?? store.lists.clusters.byId(nameOrId)
  if (cluster === undefined) throw notFound('cluster', nameOrId)
  return cluster
}
