import type { Cluster } from '../model/cluster.ts'
import type { ServiceName } from '../model/service.ts'
import type { Store } from '../store/store.ts'

/** How the server may ask the services of a cluster. */
export interface ClusterAccess {
  readonly cluster: Cluster
  /** The value of the `Authorization` header for a service; undefined: it is asked without one. Never for a log. */
  authorizationFor(service: ServiceName): string | undefined
}

/**
 * A cluster with the credentials that an operator gave for its services. They leave the server only to who shows a
 * certificate of the cluster's own CA: without that CA there are none.
 */
export function clusterAccess({ lists }: Store, cluster: Cluster): ClusterAccess {
  return {
    cluster,
    authorizationFor: (service) =>
      cluster.settings.healthCa === undefined
        ? undefined
        : lists.secrets.serviceCredential(cluster.id, service),
  }
}
