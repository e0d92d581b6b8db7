import type { DhcpPacket } from '../../dhcp/packet.ts'
import { relayAgentOf } from '../../dhcp/relay-agent.ts'
import type { TraceRecord } from '../../model/boot-trace.ts'
import { toHex } from '../../net/bytes.ts'

/**
 * The port that a message came by, as its relay wrote it in option 82: `10.1.0.1 0a0b/0c`, the relay's address, circuit id
 * and remote id (RFC 3046 §3.1 and §3.2). Undefined without a relay, and where the relay names no port.
 */
export function relayPortIn(packet: DhcpPacket): string | undefined {
  const relay = relayAgentOf(packet)
  if (relay?.circuitId === undefined && relay?.remoteId === undefined) return undefined
  const hex = (id: Uint8Array | undefined) => (id === undefined ? '' : toHex(id))
  return `${packet.giaddr} ${hex(relay.circuitId)}/${hex(relay.remoteId)}`
}

/** The port by which firmware or loader got its lease in a boot, the last one. */
export function relayPortOf(traces: readonly TraceRecord[]): string | undefined {
  const given = traces.filter(
    ({ kind, key, facts }) =>
      kind === 'dhcp' && (key === 'request:ipxe' || key === 'request:firmware') && facts.answer === 'ack',
  )
  const last = given.reduce<TraceRecord | undefined>(
    (latest, row) => (latest === undefined || row.lastAtMs >= latest.lastAtMs ? row : latest),
    undefined,
  )
  return last?.facts.relay_port === undefined ? undefined : String(last.facts.relay_port)
}
