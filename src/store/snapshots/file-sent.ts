import type { Ipv4 } from '../../net/ipv4.ts'
import type { FileSentSnapshot } from '../../policy/boot/decide-file-sent.ts'
import type { View } from '../store.ts'
import { given } from '../tables/rows.ts'

/**
 * Reads whose boot attempt a sent file belongs to: the machine that the client's address is leased to, or, where another
 * server leases, the one that was heard to ask for it.
 */
export function readFileSentSnapshot(view: View, address: Ipv4): FileSentSnapshot {
  const lease = view.leases.activeAt(address, view.nowMs)
  const mac = lease?.mac ?? view.recent.overheardAt(address)
  const machine = mac === undefined ? undefined : view.machines.byMac(mac)
  return {
    nowMs: view.nowMs,
    ...given('machine', machine),
    ...given('latestAttempt', machine === undefined ? undefined : view.attempts.latestOf(machine.id)),
  }
}
