import { requestedAddressOf } from '../../dhcp/options.ts'
import type { Subnet } from '../../model/subnet.ts'
import { formatCidr, type Ipv4 } from '../../net/ipv4.ts'
import type { Effect } from '../effect.ts'
import { buildLeaseReply } from './build-reply.ts'
import { type ChosenAddress, chooseAddress, reservationConflict } from './choose-address.ts'
import { chooseBootFile } from './choose-boot-file.ts'
import { isProbeDue } from './conflict-probe.ts'
import {
  admit,
  answer,
  bootEvents,
  type DhcpCase,
  type DhcpDecision,
  noteBoot,
  silent,
  tellOnce,
} from './dhcp-case.ts'
import { isKeptFromClient } from './kept-addresses.ts'
import { leaseSecondsFor } from './lease-time.ts'
import { replyDestination } from './reply-destination.ts'

/** Longer than the whole retry ladder of firmware, 60 s. */
const OFFER_MS = 120_000

const REASONS: { readonly [From in ChosenAddress['from']]: string } = {
  reservation: 'offered-reservation',
  offer: 'offered-again',
  lease: 'offered-previous-lease',
  requested: 'offered-requested',
  pool: 'offered-from-pool',
}

/** DISCOVER: an OFFER of the address that the client would get, held for it for two minutes in memory. */
export function decideDiscover(c: DhcpCase, subnet: Subnet): DhcpDecision {
  const { snapshot, request, mac, client, shape } = c
  const admission = admit(c)
  if (typeof admission === 'string') return silent(admission)
  const chosen = chooseAddress(snapshot, subnet, mac, requestedAddressOf(request.packet))
  const conflict = chosen?.from === 'reservation' ? [] : conflictEvents(c, subnet)
  if (chosen === undefined) {
    const why = subnet.pool === undefined ? 'no-reservation' : 'pool-exhausted'
    return silent(why, [...conflict, ...tellPool(c, subnet, why)])
  }
  if (chosen.from !== 'reservation' && isKeptFromClient(snapshot, subnet)) {
    return silent('pool-kept-for-accepted', tellPool(c, subnet, 'pool-kept-for-accepted'))
  }
  const offer = offerOf(c, subnet, chosen.address)
  if (isProbeDue(c, subnet, chosen)) {
    // Held while the probe runs, so that nobody else is offered it.
    return { ...silent('probing-address', [offer]), probe: chosen.address }
  }
  const noted = noteBoot(c, admission.machineId)
  const boot = chooseBootFile(snapshot, mac, client, noted.attempt, shape)
  const destination = replyDestination(snapshot, request, 'offer')
  if (destination === undefined) return silent('no-reply-address')
  const packet = buildLeaseReply(c, subnet, boot, {
    messageType: 'offer',
    yiaddr: chosen.address,
    leaseSeconds: leaseSecondsFor(subnet, request.packet, client),
  })
  const effects: readonly Effect[] = [
    ...admission.effects,
    ...noted.effects,
    offer,
    ...conflict,
    ...bootEvents(c, boot, admission.machineId, noted.bootId),
  ]
  return answer(c, packet, destination, boot.reason, REASONS[chosen.from], effects)
}

function offerOf({ snapshot, mac }: DhcpCase, subnet: Subnet, address: Ipv4): Effect {
  const expiresAtMs = snapshot.nowMs + OFFER_MS
  return { kind: 'put-offer', offer: { subnet: formatCidr(subnet.cidr), mac, address, expiresAtMs } }
}

/** A reservation that cannot be given is an operator's problem: the machine gets another address, they get told. */
function conflictEvents({ snapshot, mac }: DhcpCase, subnet: Subnet): readonly Effect[] {
  const conflict = reservationConflict(snapshot, subnet, mac)
  if (conflict === undefined) return []
  const { address, why, heldBy } = conflict
  return tellOnce(snapshot, mac, 'reservation.conflict', { mac, address, why, heldBy: heldBy ?? null })
}

/** Every machine that finds no address asks again within seconds: the feed needs to hear of it once. */
function tellPool({ snapshot, mac }: DhcpCase, subnet: Subnet, why: string): readonly Effect[] {
  const key = formatCidr(subnet.cidr)
  return tellOnce(snapshot, key, 'pool.exhausted', { subnet: key, mac, why })
}
