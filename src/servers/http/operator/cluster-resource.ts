import { X509Certificate } from 'node:crypto'
import type { Cluster, ClusterSettings } from '../../../model/cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import { clusterResource, membershipResource } from './resources.ts'

/** A cluster with all that is known of it: machines, members, slots, and what is set for it. */
export function wholeCluster({ store }: Pick<OperatorContext, 'store'>, cluster: Cluster) {
  const { machines, membership, secrets } = store.lists
  return {
    ...clusterResource(cluster, machines.ofCluster(cluster.id)),
    ...membershipResource(
      membership.members(cluster.id),
      membership.slots(cluster.id),
      membership.serviceFoundings(cluster.id),
    ),
    settings: settingsResource(cluster.settings, secrets.servicesWithCredential(cluster.id)),
  }
}

/** What is set, null where nothing is; of the CA its fingerprint, of credentials whose they are. */
function settingsResource(settings: ClusterSettings, credentials: readonly string[]) {
  const { clockSkewLimitMs } = settings
  return {
    health_ca_sha256: fingerprintOf(settings.healthCa),
    credentials,
    services_api: settings.servicesApi ?? null,
    services: settings.services ?? null,
    extra_config: settings.extraConfig ?? null,
    role_config: settings.roleConfig ?? null,
    cluster_size_counts: settings.clusterSizeCounts ?? null,
    clock_skew_limit_seconds: clockSkewLimitMs === undefined ? null : clockSkewLimitMs / 1000,
    rearm: settings.rearm ?? null,
  }
}

function fingerprintOf(pem: string | undefined): string | null {
  if (pem === undefined) return null
  try {
    return new X509Certificate(pem).fingerprint256
  } catch {
    return 'no certificate'
  }
}
