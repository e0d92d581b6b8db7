import { isControlPlane } from '../../model/machine.ts'
import type { ReportSnapshot } from '../../policy/first-boot/report-snapshot.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** Reads what one report needs; undefined when the boot has not redeemed, or its machine is not there. */
export function readReportSnapshot(view: View, bootId: string): ReportSnapshot | undefined {
  const attempt = view.attempts.byId(bootId)
  const machine = attempt === undefined ? undefined : view.machines.byId(attempt.machineId)
  if (attempt === undefined || machine === undefined) return undefined
  const cluster = machine.clusterId === undefined ? undefined : view.clusters.byId(machine.clusterId)
  const others = cluster === undefined ? [] : view.machines.ofCluster(cluster.id)
  const redeemed = view.redemptions.ofBoot(bootId)
  if (redeemed === undefined) return undefined
  return {
    nowMs: view.nowMs,
    machine,
    attempt,
    steps: view.attempts.steps(bootId),
    slots: cluster === undefined ? [] : view.membership.slots(cluster.id),
    members: cluster === undefined ? [] : view.membership.members(cluster.id),
    serviceFoundings: cluster === undefined ? [] : view.membership.serviceFoundings(cluster.id),
    othersReady: others.filter(
      (other) => isControlPlane(other.role) && other.state === 'ready' && other.id !== machine.id,
    ).length,
    isConfigKept: redeemed.configText !== undefined,
    ...given('cluster', cluster),
    address: redeemed.address,
    configuredFor: redeemed.clusterId,
  }
}
