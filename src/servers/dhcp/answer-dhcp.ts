import { clientMac } from '../../dhcp/packet.ts'
import { traceDhcp } from '../../policy/boot/trace-dhcp.ts'
import { decideProbed } from '../../policy/dhcp/conflict-probe.ts'
import { decideDhcp } from '../../policy/dhcp/decide-dhcp.ts'
import type { DhcpDecision } from '../../policy/dhcp/dhcp-case.ts'
import type { DhcpRequest } from '../../policy/dhcp/question.ts'
import { readDhcpSnapshot } from '../../store/snapshots/dhcp.ts'
import type { Store } from '../../store/store.ts'
import { askedAt, type DhcpPlace } from './dhcp-place.ts'

/** How many addresses are probed for one message: with the length of a probe, less than a second in all. */
const MOST_PROBES = 3

/**
 * Decides one message over the store; resolves when the reply may leave, rejects when nothing may. Where the decision
 * asks for a probe, the message is decided again with what that found, at most `MOST_PROBES` times.
 */
export async function answerDhcp(
  store: Store,
  place: DhcpPlace,
  request: DhcpRequest,
): Promise<DhcpDecision> {
  const { question, settings } = askedAt(place, request)
  const decide = async (): Promise<DhcpDecision> => {
    const { reply: whole } = await store.decide(
      (view) => readDhcpSnapshot(view, settings, question, request),
      (snapshot) => {
        const decided = decideDhcp(snapshot, request)
        const decision = decided.probe === undefined ? traceDhcp(snapshot, request, decided) : decided
        const { reason, effects, reply } = decision
        const isTentative = reply === undefined || reply.packet.messageType === 'offer'
        return { reply: decision, reason, effects, isTentative }
      },
    )
    return whole
  }
  let decision = await decide()
  for (let probes = 0; decision.probe !== undefined && probes < MOST_PROBES; probes += 1) {
    const { probe: address } = decision
    const { subnet } = question
    const mac = clientMac(request.packet)
    if (place.prober === undefined || subnet === undefined || mac === undefined) break
    const isTaken = await place.prober.isTaken(address, mac)
    await store.decide(
      ({ nowMs }) => ({ nowMs }),
      (moment) => decideProbed(moment, { subnet, address, mac, isTaken }),
    )
    decision = await decide()
  }
  return decision.probe === undefined ? decision : { ...decision, reason: 'addresses-answered-probes' }
}
