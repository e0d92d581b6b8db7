import type { Lease } from '../../model/lease.ts'
import type { Subnet } from '../../model/subnet.ts'
import { cidrContains, type Ipv4, isHostAddress, rangeContains } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { AddressFacts, DhcpSnapshot } from './snapshot.ts'

/** Whether a client may have an address: `free`, or the word for what stands against it. */
export type AddressVerdict =
  | 'free'
  | 'wrong-network'
  | 'address-not-for-clients'
  | 'address-quarantined'
  | 'address-reserved'
  | 'address-leased'
  | 'address-offered'
  | 'address-outside-pool'

/** Judges whether this MAC may have this address in this subnet now. */
export function judgeAddress(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  mac: Mac,
  address: Ipv4,
): AddressVerdict {
  if (!cidrContains(subnet.cidr, address)) return 'wrong-network'
  if (!isHostAddress(subnet.cidr, address) || isOurs(snapshot, subnet, address))
    return 'address-not-for-clients'
  const facts = factsAbout(snapshot, address)
  if ((facts.quarantinedUntilMs ?? 0) > snapshot.nowMs) return 'address-quarantined'
  if (facts.reservedFor !== undefined && facts.reservedFor !== snapshot.machine?.id) return 'address-reserved'
  const { lease, offer } = facts
  if (lease !== undefined && lease.mac !== mac && isHeld(snapshot, lease)) return 'address-leased'
  if (offer !== undefined && offer.mac !== mac && offer.expiresAtMs > snapshot.nowMs) return 'address-offered'
  return hasClaim(snapshot, subnet, address) ? 'free' : 'address-outside-pool'
}

/** True while a lease keeps its address from others. */
export function isHeld(snapshot: Pick<DhcpSnapshot, 'nowMs' | 'downtime' | 'subnet'>, lease: Lease): boolean {
  if (lease.state !== 'active') return false
  if (lease.expiresAtMs > snapshot.nowMs) return true
  const { downtime } = snapshot
  if (downtime === undefined || lease.expiresAtMs < downtime.fromMs || lease.expiresAtMs > downtime.untilMs) {
    return false
  }
  return snapshot.nowMs < downtime.untilMs + (snapshot.subnet?.leaseSeconds ?? 0) * 1000
}

/** The machine's reservation where it lies in this subnet. */
export function reservationIn(snapshot: DhcpSnapshot, subnet: Subnet): Ipv4 | undefined {
  const address = snapshot.machine?.reservedAddress
  return address !== undefined && cidrContains(subnet.cidr, address) ? address : undefined
}

/**
 * What was read about an address. The snapshot that lacks it is a bug of its reader, and guessing "free" would give one
 * address to two machines.
 */
export function factsAbout(snapshot: DhcpSnapshot, address: Ipv4): AddressFacts {
  const facts = snapshot.addresses.find((one) => one.address === address)
  if (facts === undefined) throw new Error(`the snapshot has no facts about ${address}`)
  return facts
}

function isOurs(snapshot: DhcpSnapshot, subnet: Subnet, address: Ipv4): boolean {
  return (
    address === snapshot.settings.serverAddress ||
    address === subnet.router ||
    address === subnet.bootAddress ||
    snapshot.settings.otherAddresses?.includes(address) === true
  )
}

/** Outside the pool only a reservation, a running lease or a running offer gives a right to an address. */
function hasClaim(snapshot: DhcpSnapshot, subnet: Subnet, address: Ipv4): boolean {
  if (subnet.pool !== undefined && rangeContains(subnet.pool, address)) return true
  const { lease, offer, nowMs } = snapshot
  return (
    address === snapshot.machine?.reservedAddress ||
    (lease?.address === address && isHeld(snapshot, lease)) ||
    (offer?.address === address && offer.expiresAtMs > nowMs)
  )
}
