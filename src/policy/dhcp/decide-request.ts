import { requestedAddressOf, serverIdOf } from '../../dhcp/options.ts'
import { OPTION } from '../../dhcp/packet.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { Lease } from '../../model/lease.ts'
import type { Subnet } from '../../model/subnet.ts'
import { toHex } from '../../net/bytes.ts'
import { formatCidr, type Ipv4, UNSPECIFIED } from '../../net/ipv4.ts'
import type { Effect } from '../effect.ts'
import { buildLeaseReply, buildNak, overrideKeptWith } from './build-reply.ts'
import { chooseBootFile } from './choose-boot-file.ts'
import {
  type Admission,
  admit,
  answer,
  bootEvents,
  type DhcpCase,
  type DhcpDecision,
  eventOf,
  noteBoot,
  silent,
} from './dhcp-case.ts'
import { type AddressVerdict, isHeld, judgeAddress, reservationIn } from './judge-address.ts'
import { isKeptFromClient } from './kept-addresses.ts'
import { leaseSecondsFor } from './lease-time.ts'
import { replyDestination } from './reply-destination.ts'
import { isOurServerId } from './server-id.ts'

/** Why a REQUEST is refused; the reason of the decision. */
type Refusal =
  | Exclude<AddressVerdict, 'free'>
  | 'other-lease'
  | 'reservation-changed'
  | 'pool-kept-for-accepted'

/** The text of option 56 for each refusal; a person reads it on the client's console. */
const REFUSAL_TEXTS: { readonly [Why in Refusal]: string } = {
  'wrong-network': 'wrong network',
  'address-not-for-clients': 'address not available',
  'address-quarantined': 'address in conflict',
  'address-reserved': 'address reserved',
  'address-leased': 'address in use',
  'address-offered': 'address in use',
  'address-outside-pool': 'address not available',
  'other-lease': 'other address assigned',
  'reservation-changed': 'other address assigned',
  'pool-kept-for-accepted': 'address not available',
}

/** REQUEST in all its states (RFC 2131 §4.3.2, table 4): told apart by option 54, option 50 and ciaddr. */
export function decideRequest(c: DhcpCase, subnet: Subnet): DhcpDecision {
  const { snapshot, request } = c
  const { packet } = request
  const serverId = serverIdOf(packet)
  const requested = requestedAddressOf(packet)
  if (serverId !== undefined && !isOurServerId(snapshot, packet, serverId)) {
    // RFC 2131 §3.1 step 4: servers not selected take the message as notice that their offer was declined.
    return silent('another-server-chosen', dropOffer(c, subnet))
  }
  const admission = admit(c)
  // RFC 2131 §4.3.2: a server with no record of a client MUST remain silent; ours are machines.
  if (typeof admission === 'string') return silent(admission)
  if (requested !== undefined) {
    return serverId === undefined
      ? keepAddress(c, subnet, admission, requested, 'lease-reclaimed')
      : selectAddress(c, subnet, admission, requested)
  }
  if (packet.ciaddr === UNSPECIFIED) return silent('names-no-address')
  const isRunning = runningLease(c, packet.ciaddr) !== undefined
  return keepAddress(c, subnet, admission, packet.ciaddr, isRunning ? 'lease-renewed' : 'lease-recreated')
}

/**
 * SELECTING: our offer was taken. An offer forgotten in a restart is honoured where the address is free, since the
 * client would otherwise begin anew.
 */
function selectAddress(c: DhcpCase, subnet: Subnet, admission: Admission, address: Ipv4): DhcpDecision {
  const verdict = judgeAddress(c.snapshot, subnet, c.mac, address)
  return verdict === 'free'
    ? grant(c, subnet, admission, address, 'lease-granted')
    : refuse(c, subnet, verdict)
}

/** INIT-REBOOT, RENEWING and REBINDING: the client has an address and wants to keep it. */
function keepAddress(
  c: DhcpCase,
  subnet: Subnet,
  admission: Admission,
  address: Ipv4,
  reason: string,
): DhcpDecision {
  const { snapshot, mac } = c
  const verdict = judgeAddress(snapshot, subnet, mac, address)
  if (verdict !== 'free') return refuse(c, subnet, verdict)
  const reserved = reservationIn(snapshot, subnet)
  // Only when the next DISCOVER will get the reserved address for sure: else NAK and offer would go round for ever.
  if (
    reserved !== undefined &&
    reserved !== address &&
    judgeAddress(snapshot, subnet, mac, reserved) === 'free'
  ) {
    return refuse(c, subnet, 'reservation-changed')
  }
  const { lease } = snapshot
  if (lease === undefined || address === reserved) return grant(c, subnet, admission, address, reason)
  return lease.address === address
    ? grant(c, subnet, admission, address, reason)
    : refuse(c, subnet, 'other-lease')
}

function grant(
  c: DhcpCase,
  subnet: Subnet,
  admission: Admission,
  address: Ipv4,
  reason: string,
): DhcpDecision {
  const { snapshot, request, mac, client, shape } = c
  const { nowMs } = snapshot
  if (address !== reservationIn(snapshot, subnet) && isKeptFromClient(snapshot, subnet)) {
    return refuse(c, subnet, 'pool-kept-for-accepted')
  }
  const destination = replyDestination(snapshot, request, 'ack')
  if (destination === undefined) return silent('no-reply-address')
  const noted = noteBoot(c, admission.machineId)
  const boot = chooseBootFile(snapshot, mac, client, noted.attempt, shape)
  const leaseSeconds = leaseSecondsFor(subnet, request.packet, client)
  const packet = buildLeaseReply(c, subnet, boot, { messageType: 'ack', yiaddr: address, leaseSeconds })
  const override =
    relayAgentOf(request.packet)?.serverIdOverride ?? overrideKeptWith(snapshot, request.packet)
  const running = runningLease(c, address)
  const clientId = request.packet.options.get(OPTION.clientId)
  const lease: Lease = {
    subnet: formatCidr(subnet.cidr),
    mac,
    address,
    state: 'active',
    grantedAtMs: running?.grantedAtMs ?? nowMs,
    expiresAtMs: nowMs + leaseSeconds * 1000,
    ...(clientId === undefined ? {} : { clientId: toHex(clientId) }),
    ...(override === undefined ? {} : { serverId: override }),
  }
  const effects: Effect[] = [
    ...admission.effects,
    ...noted.effects,
    { kind: 'put-lease', lease },
    ...dropOffer(c, subnet),
    ...bootEvents(c, boot, admission.machineId, noted.bootId),
  ]
  if (running === undefined) {
    const facts = { mac, address, subnet: lease.subnet, leaseSeconds }
    effects.push(eventOf(snapshot, 'lease.granted', facts, admission.machineId, noted.bootId))
  }
  return answer(c, packet, destination, boot.reason, reason, effects)
}

function refuse(c: DhcpCase, subnet: Subnet, why: Refusal): DhcpDecision {
  const { snapshot, request } = c
  const destination = replyDestination(snapshot, request, 'nak')
  if (destination === undefined) return silent('no-reply-address')
  const packet = buildNak(c, REFUSAL_TEXTS[why])
  return answer(c, packet, destination, 'no-boot-client', why, dropOffer(c, subnet))
}

function runningLease({ snapshot }: DhcpCase, address: Ipv4): Lease | undefined {
  const { lease } = snapshot
  return lease?.address === address && isHeld(snapshot, lease) ? lease : undefined
}

function dropOffer({ snapshot, mac }: DhcpCase, subnet: Subnet): readonly Effect[] {
  if (snapshot.offer === undefined) return []
  return [{ kind: 'drop-offer', subnet: formatCidr(subnet.cidr), mac }]
}
