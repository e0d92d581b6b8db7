import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { RedeemRequest, RedeemSnapshot } from '../../policy/first-boot/decide-redeem.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/** Reads what a redemption needs; the token comes as its hash. */
export function readRedeemSnapshot(
  view: View,
  bootUrl: string,
  request: RedeemRequest,
  tokenSha256: string,
): RedeemSnapshot {
  const { nowMs } = view
  const machine = view.machines.byMac(request.mac)
  const token = view.redemptions.token(tokenSha256)
  const lease = view.leases.activeAt(request.address, nowMs)
  const cluster = machine?.clusterId === undefined ? undefined : view.clusters.byId(machine.clusterId)
  const others = cluster === undefined ? [] : view.machines.ofCluster(cluster.id)
  const holder = others.find((other) => other.id === cluster?.founding.holderMachineId)
  return {
    nowMs,
    serverId: view.serverId,
    bootUrl,
    reportToken: token === undefined ? '' : view.key.reportToken(token.bootId),
    members: cluster === undefined ? [] : view.membership.members(cluster.id),
    slots: cluster === undefined ? [] : view.membership.slots(cluster.id),
    serviceFoundings: cluster === undefined ? [] : view.membership.serviceFoundings(cluster.id),
    controlPlaneAddresses: others
      .filter((other) => other.role === 'control-plane' && other.id !== machine?.id)
      .map((other) => knownAddress(view, other))
      .filter((address) => address !== undefined),
    ...given('machine', machine),
    ...given('token', token),
    ...given('attempt', token === undefined ? undefined : view.attempts.byId(token.bootId)),
    ...given('leasedToMachineId', lease === undefined ? undefined : view.machines.byMac(lease.mac)?.id),
    ...given('earlier', token === undefined ? undefined : view.redemptions.ofBoot(token.bootId)),
    ...given('cluster', cluster),
    ...given('holderAddress', holder === undefined ? undefined : knownAddress(view, holder)),
  }
}

/** Where a machine is: what it redeemed from in its current boot, else its reservation. */
function knownAddress(view: View, machine: Machine): Ipv4 | undefined {
  const redeemed =
    machine.currentBootId === undefined ? undefined : view.redemptions.ofBoot(machine.currentBootId)
  return redeemed?.address ?? machine.reservedAddress
}
