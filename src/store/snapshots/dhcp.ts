import { formatCidr, type Ipv4 } from '../../net/ipv4.ts'
import { needsPoolCandidate } from '../../policy/dhcp/choose-address.ts'
import { isHeld } from '../../policy/dhcp/judge-address.ts'
import { needsPoolCount } from '../../policy/dhcp/kept-addresses.ts'
import { addressesToRead, type DhcpQuestion, type DhcpRequest } from '../../policy/dhcp/question.ts'
import type { AddressFacts, DhcpSettings, DhcpSnapshot } from '../../policy/dhcp/snapshot.ts'
import type { View } from '../store.ts'

const MINUTE_MS = 60_000

/** Reads what the answer to one DHCP message may depend on. */
export function readDhcpSnapshot(
  view: View,
  settings: DhcpSettings,
  question: DhcpQuestion,
  request: DhcpRequest,
): DhcpSnapshot {
  const { nowMs, recent } = view
  const { mac, subnet } = question
  const key = subnet === undefined ? undefined : formatCidr(subnet.cidr)
  const machine = mac === undefined ? undefined : view.machines.byMac(mac)
  const lease = mac === undefined || key === undefined ? undefined : view.leases.byMac(key, mac)
  const offer = mac === undefined || key === undefined ? undefined : view.offers.byMac(key, mac)
  const latestAttempt = machine === undefined ? undefined : view.attempts.latestOf(machine.id)
  const { messageType } = request.packet
  const mayBeDiscovered = machine === undefined && settings.unknownMachines === 'discover'
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
    loaderSends: machine === undefined ? undefined : recent.loaderSends(machine.id, nowMs),
    declinesInForce:
      messageType === 'decline' && mac !== undefined
        ? view.quarantines.declinesInForce(mac, nowMs)
        : undefined,
    newMachinesInLastMinute: mayBeDiscovered ? view.machines.discoveredSince(nowMs - MINUTE_MS) : undefined,
    told: recent.told,
    verdicts: recent.verdicts,
    downtime: view.downtime,
  }
  if (mac === undefined || key === undefined || subnet?.pool === undefined) return snapshot
  const { pool } = subnet
  const poolHeld = needsPoolCount(snapshot, request) ? view.poolCounts.takenIn(key, pool, nowMs) : undefined
  if (!needsPoolCandidate(snapshot, request, mac)) {
    return poolHeld === undefined ? snapshot : { ...snapshot, poolHeld }
  }
  const avoid = new Set<Ipv4>(
    [settings.serverAddress, ...(settings.otherAddresses ?? []), subnet.router, subnet.bootAddress].filter(
      (address) => address !== undefined,
    ),
  )
  const poolCandidate = view.leases.poolCandidate(key, pool, mac, {
    nowMs,
    avoid,
    isReserved: (address) => view.machines.reservedFor(address) !== undefined,
    isHeld: (one) => isHeld(snapshot, one),
  })
  return { ...snapshot, poolCandidate, poolHeld }
}

function factsAt(view: View, address: Ipv4): AddressFacts {
  return {
    address,
    reservedFor: view.machines.reservedFor(address),
    lease: view.leases.atAddress(address),
    offer: view.offers.at(address),
    quarantinedUntilMs: view.quarantines.untilMs(address),
  }
}
