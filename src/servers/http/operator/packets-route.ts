import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { decode } from '../../../dhcp/decode.ts'
import { toHex } from '../../../net/bytes.ts'
import { writeCaptureFile } from '../../../net/capture-file.ts'
import { type Mac, parseMac } from '../../../net/mac.ts'
import { ipv4PacketOf } from '../../../net/udp-datagram.ts'
import { findMachine } from '../../../store/snapshots/machine.ts'
import type { RecordedPacket } from '../../dhcp/recorded-packet.ts'
import type { OperatorContext } from './operator-context.ts'
import { notFound } from './problem.ts'

const FormatQuery = Type.Object(
  { format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('pcap')])) },
  { additionalProperties: false },
)

/**
 * `GET /api/v1/machines/{ref}/packets`: the last DHCP packets of a machine, or of a MAC that nobody registered; as a
 * capture file with `?format=pcap`.
 */
export function addPacketsRoute(server: FastifyInstance, context: OperatorContext): void {
  server.get<{ Params: { ref: string }; Querystring: Static<typeof FormatQuery> }>(
    '/api/v1/machines/:ref/packets',
    { schema: { querystring: FormatQuery } },
    async ({ params, query }, reply) => {
      const packets = context.packetsOf(macsOf(context, params.ref))
      if (query.format !== 'pcap') return { items: packets.map(packetResource), next: null }
      const frames = packets.map((packet) => ({ atMs: packet.atMs, bytes: ipv4PacketOf(packet) }))
      return reply
        .type('application/vnd.tcpdump.pcap')
        .header('content-disposition', 'attachment; filename="dhcp.pcap"')
        .send(Buffer.from(writeCaptureFile(frames)))
    },
  )
}

function macsOf({ store }: OperatorContext, ref: string): readonly Mac[] {
  const machine = findMachine(store.lists, ref)
  if (machine !== undefined) return machine.macs
  const mac = parseMac(ref)
  if (mac === undefined) throw notFound('machine', ref)
  return [mac]
}

function packetResource(packet: RecordedPacket) {
  const decoded = decode(packet.payload, packet.direction === 'received' ? 'request' : 'reply')
  return {
    at: new Date(packet.atMs).toISOString(),
    direction: packet.direction,
    from: `${packet.source}:${packet.sourcePort}`,
    to: `${packet.destination}:${packet.destinationPort}`,
    message: decoded.ok ? decoded.packet.messageType : null,
    bytes: packet.payload.length,
    hex: toHex(packet.payload),
  }
}
