import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import { relayPortOf } from '../../policy/boot/relay-port.ts'
import { saidIdentityOf } from '../../policy/boot/said-identity.ts'
import type { RedeemRequest, RedeemSnapshot } from '../../policy/first-boot/redeem-snapshot.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'
import { type AddressSettings, readForeignAddress } from './foreign-address.ts'

/**
 * Reads what a redemption needs; the token comes as its hash.
 *
 * @param addresses who leases addresses; undefined: we do, everywhere.
 */
export function readRedeemSnapshot(
  view: View,
  bootUrl: string,
  request: RedeemRequest,
  tokenSha256: string,
  addresses?: AddressSettings,
): RedeemSnapshot {
  const { nowMs } = view
  const machine = view.machines.byMac(request.mac)
  const token = view.redemptions.token(tokenSha256)
  const traces = token === undefined ? [] : view.traces.ofBoot(token.bootId)
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
      .filter((other) => isControlPlane(other.role) && other.id !== machine?.id)
      .map((other) => knownAddress(view, other))
      .filter((address) => address !== undefined),
    othersBound:
      cluster === undefined
        ? 0
        : view.attempts.boundElsewhere(cluster.id, cluster.founding.epoch, machine?.id ?? ''),
    ...given('machine', machine),
    ...given('token', token),
    ...given('attempt', token === undefined ? undefined : view.attempts.byId(token.bootId)),
    ...given('said', saidIdentityOf(traces)),
    ...given('relayPort', relayPortOf(traces)),
    ...given('leasedToMachineId', lease === undefined ? undefined : view.machines.byMac(lease.mac)?.id),
    ...given(
      'foreign',
      addresses === undefined ? undefined : readForeignAddress(view, addresses, request.address),
    ),
    ...given('earlier', token === undefined ? undefined : view.redemptions.ofBoot(token.bootId)),
    ...given('cluster', cluster),
    ...given('holderAddress', holder === undefined ? undefined : knownAddress(view, holder)),
  }
}

/** Where a machine is: what it redeemed from in its current boot, else its reservation. */
export function knownAddress(view: Pick<View, 'redemptions'>, machine: Machine): Ipv4 | undefined {
  const redeemed =
    machine.currentBootId === undefined ? undefined : view.redemptions.ofBoot(machine.currentBootId)
  return redeemed?.address ?? machine.reservedAddress
}
