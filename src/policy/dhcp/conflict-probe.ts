import { isRelayed } from '../../dhcp/packet.ts'
import type { Subnet } from '../../model/subnet.ts'
import { cidrContains, formatCidr, type Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import type { ChosenAddress } from './choose-address.ts'
import type { DhcpCase } from './dhcp-case.ts'

/** How long "nobody answered" or "somebody did" is believed. */
const VERDICT_HOLDS_MS = 30_000
/** A client that had the address so recently may still have it; nobody else can. */
const RECENTLY_OURS_MS = 600_000
const QUARANTINE_MS = 600_000

/**
 * True when the address is to be probed before it is offered (RFC 2131 §2.2): on our own link, not by reservation, and
 * not this client's lease within the last ten minutes. Behind a relay nobody here could hear an answer.
 */
export function isProbeDue({ snapshot, request }: DhcpCase, subnet: Subnet, chosen: ChosenAddress): boolean {
  const { settings, lease, nowMs, verdicts, machine } = snapshot
  if (settings.probesConflicts !== true || isRelayed(request.packet)) return false
  if (!cidrContains(subnet.cidr, settings.serverAddress)) return false
  if (chosen.address === machine?.reservedAddress) return false
  if (lease?.address === chosen.address && nowMs - lease.expiresAtMs < RECENTLY_OURS_MS) return false
  const verdict = verdicts?.get(chosen.address)
  return verdict === undefined || nowMs - verdict.atMs > VERDICT_HOLDS_MS
}

/** What came of a probe, and for whom it was made. */
export interface ProbeOutcome {
  readonly subnet: Subnet
  readonly address: Ipv4
  /** The client that the address was to be offered to. */
  readonly mac: Mac
  readonly isTaken: boolean
}

/**
 * Notes what a probe found. An address that somebody answers at is put aside for ten minutes and told of; the client
 * gets the next one.
 */
export function decideProbed({ nowMs }: Moment, outcome: ProbeOutcome): Decision<undefined> {
  const { address, mac, isTaken } = outcome
  const noted: Effect = { kind: 'note-verdict', address, verdict: { isTaken, atMs: nowMs } }
  if (!isTaken) return { reply: undefined, reason: 'nobody-answered', effects: [noted] }
  const subnet = formatCidr(outcome.subnet.cidr)
  return {
    reply: undefined,
    reason: 'address-answered',
    effects: [
      noted,
      {
        kind: 'quarantine-address',
        subnet,
        address,
        mac,
        untilMs: nowMs + QUARANTINE_MS,
        why: 'answered-probe',
      },
      { kind: 'drop-offer', subnet, mac },
      {
        kind: 'append-event',
        event: { atMs: nowMs, type: 'address.conflict', data: { address, subnet, mac } },
      },
    ],
  }
}
