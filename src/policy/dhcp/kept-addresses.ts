import type { Subnet } from '../../model/subnet.ts'
import { ipv4ToNumber } from '../../net/ipv4.ts'
import { isHeld } from './judge-address.ts'
import type { DhcpRequest } from './question.ts'
import type { DhcpSnapshot } from './snapshot.ts'

/** Of a pool, this part is kept for machines that an operator has accepted: a flood of invented MACs cannot take it. */
const KEPT_PART = 8

/**
 * True when the store must count the pool's taken addresses before a message can be decided: a client that nobody
 * accepted, and that holds none yet, asks for one. Call it with the snapshot otherwise complete.
 */
export function needsPoolCount(snapshot: DhcpSnapshot, { packet, arrival }: DhcpRequest): boolean {
  const { messageType } = packet
  if (messageType !== 'discover' && messageType !== 'request') return false
  if (snapshot.settings.mode !== 'authoritative' || arrival.socket === 'pxe') return false
  if (!isUnaccepted(snapshot)) return false
  const { lease, offer, nowMs } = snapshot
  const isOffered = offer !== undefined && offer.expiresAtMs > nowMs
  return !isOffered && (lease === undefined || !isHeld(snapshot, lease))
}

/** True when no more of the pool is left than what is kept from this client. */
export function isKeptFromClient({ poolHeld }: DhcpSnapshot, { pool }: Subnet): boolean {
  if (pool === undefined || poolHeld === undefined) return false
  const size = ipv4ToNumber(pool.last) - ipv4ToNumber(pool.first) + 1
  return size - poolHeld <= Math.floor(size / KEPT_PART)
}

function isUnaccepted({ machine, settings }: DhcpSnapshot): boolean {
  return machine === undefined ? settings.unknownMachines === 'discover' : machine.state === 'discovered'
}
