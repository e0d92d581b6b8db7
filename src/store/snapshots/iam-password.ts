import type { IamPasswordSnapshot } from '../../policy/cluster/decide-iam-password.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** Reads what handing over IAM's first password needs. */
export function readIamPasswordSnapshot(view: View, clusterId: string): IamPasswordSnapshot {
  const cluster = view.clusters.byId(clusterId)
  if (cluster === undefined) throw new Error(`cluster ${clusterId} is gone`)
  const iam = view.membership.serviceFoundings(clusterId).find((row) => row.service === 'iam')
  return {
    nowMs: view.nowMs,
    cluster,
    ...given('iam', iam),
    ...given('password', view.secrets.clusterSecret(clusterId, 'iam-admin-password')),
    ...given('handedOverAtMs', view.secrets.handedOverAtMs(clusterId, 'iam-admin-password')),
  }
}
