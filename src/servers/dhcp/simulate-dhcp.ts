import { decode } from '../../dhcp/decode.ts'
import { optionText } from '../../dhcp/option-text.ts'
import { clientMac } from '../../dhcp/packet.ts'
import { printable, toHex } from '../../net/bytes.ts'
import { decideDhcp } from '../../policy/dhcp/decide-dhcp.ts'
import type { DhcpDecision, DhcpReply } from '../../policy/dhcp/dhcp-case.ts'
import { type ExplainStep, explainDhcp } from '../../policy/dhcp/explain-dhcp.ts'
import type { Arrival, DhcpRequest } from '../../policy/dhcp/question.ts'
import { readDhcpSnapshot } from '../../store/snapshots/dhcp.ts'
import type { Store } from '../../store/store.ts'
import { askedAt, type DhcpPlace } from './dhcp-place.ts'

/** What a message would get, and why. */
export interface Simulation {
  readonly decision: DhcpDecision
  readonly steps: readonly ExplainStep[]
}

/** Decides a message by the very functions that serve, on the world as it is, and carries out nothing. */
export function simulateDhcp(store: Store, place: DhcpPlace, request: DhcpRequest): Simulation {
  // A simulation sends nothing, so it cannot probe either: it shows the answer that a free address would give.
  const { question, settings } = askedAt({ ...place, prober: undefined }, request)
  const snapshot = store.peek((view) => readDhcpSnapshot(view, settings, question, request))
  const decision = decideDhcp(snapshot, request)
  return { decision, steps: explainDhcp(snapshot, request, decision) }
}

/** A simulation as the API and the command line show it. */
export function simulationResource(request: DhcpRequest, { decision, steps }: Simulation) {
  return { ...answerResource(request, decision), steps }
}

/** A decided message: what came, what goes, and the reason. */
export function answerResource({ packet }: DhcpRequest, { reply, reason }: DhcpDecision) {
  return {
    message: packet.messageType,
    mac: clientMac(packet) ?? null,
    decision: reply?.packet.messageType ?? 'silence',
    reason,
    reply: reply === undefined ? null : replyResource(reply),
  }
}

function replyResource(reply: DhcpReply) {
  const { packet, bytes } = reply
  // What is on the wire counts, not what was meant: read it back.
  const decoded = decode(bytes, 'reply')
  const { options } = decoded.ok ? decoded.packet : packet
  return {
    to: `${reply.address}:${reply.port}`,
    from_port: reply.from === 'pxe' ? 4011 : 67,
    boot: reply.boot,
    message: packet.messageType,
    xid: packet.xid.toString(16).padStart(8, '0'),
    flags: packet.flags.toString(16).padStart(4, '0'),
    ciaddr: packet.ciaddr,
    yiaddr: packet.yiaddr,
    siaddr: packet.siaddr,
    giaddr: packet.giaddr,
    chaddr: toHex(packet.chaddr.subarray(0, packet.hlen)),
    sname: printable(packet.sname),
    file: printable(packet.file),
    options: [...options].map(([code, value]) => optionText(code, value)),
    bytes: bytes.length,
    hex: toHex(bytes),
  }
}

/** What a datagram would be answered; a reason instead where it is no DHCP message of a client. */
export function simulateDatagram(
  store: Store,
  place: DhcpPlace,
  bytes: Uint8Array,
  arrival: Arrival,
): ReturnType<typeof simulationResource> | ReturnType<typeof droppedResource> {
  const decoded = decode(bytes)
  if (!decoded.ok) return droppedResource(decoded.reason)
  const request = { packet: decoded.packet, arrival }
  return simulationResource(request, simulateDhcp(store, place, request))
}

export function droppedResource(reason: string) {
  return { message: null, mac: null, decision: 'dropped', reason, reply: null } as const
}
