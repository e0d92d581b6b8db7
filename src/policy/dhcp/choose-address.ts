import { requestedAddressOf } from '../../dhcp/options.ts'
import type { Subnet } from '../../model/subnet.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { factsAbout, isHeld, judgeAddress, reservationIn } from './judge-address.ts'
import { type DhcpRequest, withTrustedCiaddr } from './question.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** An address to offer, and where it comes from. */
export interface ChosenAddress {
  readonly address: Ipv4
  readonly from: 'reservation' | 'offer' | 'lease' | 'requested' | 'pool'
}

/**
 * Picks the address to offer: the machine's reservation first (our rule), then the order of RFC 2131 §4.3.1 with the
 * offer that still stands before it: current or previous lease, requested address, free address of the pool.
 *
 * @returns undefined when there is none; the caller then stays silent.
 */
export function chooseAddress(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  mac: Mac,
  requested: Ipv4 | undefined,
): ChosenAddress | undefined {
  const kept = chooseKnownAddress(snapshot, subnet, mac, requested)
  if (kept !== undefined) return kept
  const { poolCandidate } = snapshot
  return poolCandidate === undefined ? undefined : { address: poolCandidate, from: 'pool' }
}

/**
 * True when the store must look for a free pool address before a message can be decided: only for a DISCOVER that no
 * address already known for the client can answer. Call it with the snapshot otherwise complete.
 */
export function needsPoolCandidate(snapshot: DhcpSnapshot, request: DhcpRequest, mac: Mac): boolean {
  const { subnet, settings } = snapshot
  if (settings.mode !== 'authoritative' || request.packet.messageType !== 'discover') return false
  if (subnet?.pool === undefined || request.arrival.socket === 'pxe') return false
  if (snapshot.machine === undefined && settings.unknownMachines === 'ignore') return false
  const requested = requestedAddressOf(withTrustedCiaddr(request.packet))
  return chooseKnownAddress(snapshot, subnet, mac, requested) === undefined
}

/** Who stands in the way of the machine's reservation: the other MAC, or quarantine; undefined when nothing does. */
export function reservationConflict(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  mac: Mac,
): { readonly address: Ipv4; readonly why: string; readonly heldBy: Mac | undefined } | undefined {
  const address = reservationIn(snapshot, subnet)
  if (address === undefined) return undefined
  const why = judgeAddress(snapshot, subnet, mac, address)
  if (why === 'free') return undefined
  const { lease } = factsAbout(snapshot, address)
  const heldBy = lease !== undefined && lease.mac !== mac && isHeld(snapshot, lease) ? lease.mac : undefined
  // Two ports of one machine take turns with its one reservation: that is how it boots, not a conflict.
  if (heldBy !== undefined && snapshot.machine?.macs.includes(heldBy) === true) return undefined
  return { address, why, heldBy }
}

function chooseKnownAddress(
  snapshot: DhcpSnapshot,
  subnet: Subnet,
  mac: Mac,
  requested: Ipv4 | undefined,
): ChosenAddress | undefined {
  const { offer, lease, nowMs } = snapshot
  const candidates: readonly (readonly [ChosenAddress['from'], Ipv4 | undefined])[] = [
    ['reservation', reservationIn(snapshot, subnet)],
    ['offer', offer !== undefined && offer.expiresAtMs > nowMs ? offer.address : undefined],
    ['lease', lease?.address],
    ['requested', requested],
  ]
  for (const [from, address] of candidates) {
    if (address !== undefined && judgeAddress(snapshot, subnet, mac, address) === 'free')
      return { address, from }
  }
  return undefined
}
