import { formatCidr, type Ipv4 } from '../../net/ipv4.ts'
import { needsPoolCandidate } from '../../policy/dhcp/choose-address.ts'
import { addressesToRead, type DhcpQuestion, type DhcpRequest } from '../../policy/dhcp/question.ts'
import type { AddressFacts, DhcpSettings, DhcpSnapshot } from '../../policy/dhcp/snapshot.ts'
import type { View } from '../store.ts'

/** Reads what the answer to one DHCP message may depend on. */
export function readDhcpSnapshot(
  view: View,
  settings: DhcpSettings,
  question: DhcpQuestion,
  request: DhcpRequest,
): DhcpSnapshot {
  const { nowMs } = view
  const { mac, subnet } = question
  const key = subnet === undefined ? undefined : formatCidr(subnet.cidr)
  const machine = mac === undefined ? undefined : view.machines.byMac(mac)
  const lease = mac === undefined || key === undefined ? undefined : view.leases.byMac(key, mac)
  const offer = mac === undefined || key === undefined ? undefined : view.leases.offerByMac(key, mac)
  const latestAttempt = machine === undefined ? undefined : view.attempts.latestOf(machine.id)
  const snapshot: DhcpSnapshot = {
    nowMs,
    freshBytes: view.freshBytes(),
    settings,
    subnet,
    machine,
    lease,
    offer,
    addresses: addressesToRead(question, machine, lease, offer).map((address) => factsAt(view, address)),
    latestAttempt,
  }
  if (mac === undefined || key === undefined || subnet?.pool === undefined) return snapshot
  if (!needsPoolCandidate(snapshot, request, mac)) return snapshot
  const avoid = new Set<Ipv4>([
    settings.serverAddress,
    ...(subnet.router === undefined ? [] : [subnet.router]),
  ])
  const poolCandidate = view.leases.poolCandidate(key, subnet.pool, mac, avoid, nowMs)
  return poolCandidate === undefined ? snapshot : { ...snapshot, poolCandidate }
}

function factsAt(view: View, address: Ipv4): AddressFacts {
  return {
    address,
    reservedFor: view.machines.byReservedAddress(address)?.id,
    lease: view.leases.atAddress(address),
    offer: view.leases.offerAt(address),
    quarantinedUntilMs: view.leases.quarantinedUntilMs(address),
  }
}
