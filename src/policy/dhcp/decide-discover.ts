import { requestedAddressOf } from '../../dhcp/options.ts'
import type { Subnet } from '../../model/subnet.ts'
import { formatCidr } from '../../net/ipv4.ts'
import type { Effect } from '../effect.ts'
import { buildLeaseReply } from './build-reply.ts'
import { type ChosenAddress, chooseAddress, reservationConflict } from './choose-address.ts'
import { chooseBootFile } from './choose-boot-file.ts'
import {
  admit,
  answer,
  bootEvents,
  type DhcpCase,
  type DhcpDecision,
  eventOf,
  noteBoot,
  silent,
} from './dhcp-case.ts'
import { leaseSecondsFor } from './lease-time.ts'
import { replyDestination } from './reply-destination.ts'

/** Longer than the whole retry ladder of firmware, 60 s. */
const OFFER_MS = 120_000
const TELL_EXHAUSTED_EVERY_MS = 60_000

const REASONS: { readonly [From in ChosenAddress['from']]: string } = {
  reservation: 'offered-reservation',
  offer: 'offered-again',
  lease: 'offered-previous-lease',
  requested: 'offered-requested',
  pool: 'offered-from-pool',
}

/** DISCOVER: an OFFER of the address that the client would get, held for it for two minutes in memory. */
export function decideDiscover(c: DhcpCase, subnet: Subnet): DhcpDecision {
  const { snapshot, request, mac, client } = c
  const admission = admit(c)
  if (typeof admission === 'string') return silent(admission)
  const chosen = chooseAddress(snapshot, subnet, mac, requestedAddressOf(request.packet))
  const conflict = chosen?.from === 'reservation' ? [] : conflictEvents(c, subnet)
  if (chosen === undefined) {
    const why = subnet.pool === undefined ? 'no-reservation' : 'pool-exhausted'
    return silent(why, [...conflict, ...exhaustedEvents(c, subnet, why)])
  }
  const noted = noteBoot(c, admission.machineId)
  const boot = chooseBootFile(snapshot, mac, client, noted.attempt)
  const destination = replyDestination(snapshot, request, 'offer')
  if (destination === undefined) return silent('no-reply-address')
  const packet = buildLeaseReply(
    snapshot,
    subnet,
    request.packet,
    {
      messageType: 'offer',
      yiaddr: chosen.address,
      leaseSeconds: leaseSecondsFor(subnet, request.packet, client),
    },
    client,
    boot,
  )
  const effects: readonly Effect[] = [
    ...admission.effects,
    ...noted.effects,
    {
      kind: 'put-offer',
      offer: {
        subnet: formatCidr(subnet.cidr),
        mac,
        address: chosen.address,
        expiresAtMs: snapshot.nowMs + OFFER_MS,
      },
    },
    ...conflict,
    ...bootEvents(c, boot, admission.machineId, noted.bootId),
  ]
  return answer(c, packet, destination, boot.reason, REASONS[chosen.from], effects)
}

/** A reservation that cannot be given is an operator's problem: the machine gets another address, they get told. */
function conflictEvents({ snapshot, mac }: DhcpCase, subnet: Subnet): readonly Effect[] {
  const conflict = reservationConflict(snapshot, subnet, mac)
  if (conflict === undefined) return []
  const { address, why, heldBy } = conflict
  return [eventOf(snapshot, 'reservation.conflict', { mac, address, why, heldBy: heldBy ?? null })]
}

function exhaustedEvents({ snapshot, mac }: DhcpCase, subnet: Subnet, why: string): readonly Effect[] {
  const told = snapshot.poolExhaustedToldAtMs
  // Every machine that finds no address asks again within seconds: the feed needs to hear of it once.
  if (told !== undefined && snapshot.nowMs - told < TELL_EXHAUSTED_EVERY_MS) return []
  return [eventOf(snapshot, 'pool.exhausted', { subnet: formatCidr(subnet.cidr), mac, why })]
}
