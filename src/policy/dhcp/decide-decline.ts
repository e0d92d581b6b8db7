import { requestedAddressOf, serverIdOf } from '../../dhcp/options.ts'
import type { Subnet } from '../../model/subnet.ts'
import { formatCidr } from '../../net/ipv4.ts'
import type { Effect } from '../effect.ts'
import { type DhcpCase, type DhcpDecision, eventOf, silent } from './dhcp-case.ts'
import { isHeld, reservationIn } from './judge-address.ts'
import { isOurServerId } from './server-id.ts'

const QUARANTINE_MS = 600_000
const MOST_DECLINES = 3

/**
 * DECLINE: somebody else answers at the address that the client got (RFC 2131 §4.3.3). Never answered. Only an address
 * that is this very client's is put aside, and only three at a time, or one host could empty the pool.
 */
export function decideDecline({ snapshot, request, mac }: DhcpCase, subnet: Subnet): DhcpDecision {
  const { packet } = request
  const serverId = serverIdOf(packet)
  const address = requestedAddressOf(packet)
  if (serverId === undefined || address === undefined) return silent('decline-incomplete')
  if (!isOurServerId(snapshot, packet, serverId)) return silent('another-server-chosen')
  const { lease, offer, nowMs } = snapshot
  const isLeased = lease?.address === address && isHeld(snapshot, lease)
  const isOffered = offer?.address === address && offer.expiresAtMs > nowMs
  if (!isLeased && !isOffered) return silent('declined-address-not-held')
  if ((snapshot.declinesInForce ?? 0) >= MOST_DECLINES) return silent('too-many-declines')
  const key = formatCidr(subnet.cidr)
  const effects: Effect[] = [
    {
      kind: 'quarantine-address',
      subnet: key,
      address,
      mac,
      untilMs: nowMs + QUARANTINE_MS,
      why: 'declined',
    },
  ]
  if (isLeased) effects.push({ kind: 'release-lease', subnet: key, mac, atMs: nowMs })
  if (isOffered) effects.push({ kind: 'drop-offer', subnet: key, mac })
  const isReservation = reservationIn(snapshot, subnet) === address
  effects.push(eventOf(snapshot, 'lease.declined', { mac, address, subnet: key, isReservation }))
  return silent(isReservation ? 'reservation-declined' : 'address-declined', effects)
}
