import type { Cluster, Member } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Effect } from '../effect.ts'
import type { RedeemSnapshot } from './redeem-snapshot.ts'

/** F9 and S6: what a reboot takes with it. RAM is gone with all its rows; a set-up is repeated, whoever does it. */
export function rebooted(
  snapshot: RedeemSnapshot,
  cluster: Cluster,
  machine: Machine,
  ownRows: readonly Member[],
): Effect[] {
  const lost =
    cluster.stateKind === 'persistent'
      ? []
      : ownRows.filter(
          (row) => row.epoch === cluster.founding.epoch && row.state !== 'removed' && row.state !== 'lost',
        )
  const suspects = snapshot.slots.filter(
    (slot) =>
      slot.state === 'held' &&
      slot.machineId === machine.id &&
      (slot.memberId === undefined ||
        lost.some((row) => row.memberId === slot.memberId && slot.step === `${row.service}-cluster-join`)),
  )
  return [
    ...lost.map((row): Effect => ({ kind: 'put-member', member: { ...row, state: 'lost' } })),
    ...suspects.map((slot): Effect => ({ kind: 'put-slot', slot: { ...slot, state: 'suspect' } })),
  ]
}

/** A machine that boots leads nothing, whatever it said of itself before. */
export function wordTakenBack(cluster: Cluster, address: Ipv4): Effect[] {
  const reported = cluster.probe.reported ?? {}
  const left = Object.entries(reported).filter(([, { url }]) => new URL(url).hostname !== address)
  if (left.length === Object.keys(reported).length) return []
  const probe = { ...cluster.probe, reported: Object.fromEntries(left) }
  return [{ kind: 'put-probe', clusterId: cluster.id, probe }]
}
