import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { decode } from '../../../dhcp/decode.ts'
import { encode } from '../../../dhcp/encode.ts'
import { optionEntryNamed } from '../../../dhcp/option-dictionary.ts'
import type { MessageType } from '../../../dhcp/packet.ts'
import { fromHex } from '../../../net/bytes.ts'
import { BROADCAST, type Ipv4, parseIpv4, UNSPECIFIED } from '../../../net/ipv4.ts'
import { parseMac } from '../../../net/mac.ts'
import { composeRequest } from '../../../policy/dhcp/compose-request.ts'
import type { Arrival } from '../../../policy/dhcp/question.ts'
import { simulateDatagram } from '../../dhcp/simulate-dhcp.ts'
import type { OperatorContext } from './operator-context.ts'
import { malformed } from './problem.ts'

const text = Type.String({ maxLength: 64 })

const SimulateBody = Type.Object(
  {
    /** A UDP payload. */
    hex: Type.Optional(Type.String({ maxLength: 8192 })),
    /** Or a client that is only imagined. */
    mac: Type.Optional(text),
    architecture: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })),
    message: Type.Optional(
      Type.Union(
        (['discover', 'request', 'inform', 'decline', 'release'] as const).map((word) => Type.Literal(word)),
      ),
    ),
    /** Options in hex, by number or name; empty: left out. */
    options: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 510 }))),
    relay: Type.Optional(text),
    client_address: Type.Optional(text),
    /** How it reaches the server. */
    source: Type.Optional(text),
    source_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    socket: Type.Optional(
      Type.Union([Type.Literal('broadcast'), Type.Literal('unicast'), Type.Literal('pxe')]),
    ),
    /** The provisioning link that it arrives on; default: the first. */
    interface: Type.Optional(text),
  },
  { additionalProperties: false },
)

type Body = Static<typeof SimulateBody>

/** `POST /api/v1/simulate`: what a DHCP message would get now, and why; nothing is changed by it. */
export function addSimulateRoute(server: FastifyInstance, { store, places }: OperatorContext): void {
  server.post<{ Body: Body }>(
    '/api/v1/simulate',
    { schema: { body: SimulateBody }, config: { isRead: true } },
    async ({ body }) => {
      const place = places.find((one) => body.interface === undefined || one.interface === body.interface)
      if (place === undefined) {
        const known = places.map((one) => one.interface ?? one.address).join(', ')
        throw malformed('interface', body.interface ?? '', `a provisioning link of this server: ${known}`)
      }
      const bytes = bytesOf(body)
      return simulateDatagram(store, place, bytes, arrivalOf(body, bytes))
    },
  )
}

function bytesOf(body: Body): Uint8Array {
  if (body.hex !== undefined) {
    const bytes = fromHex(body.hex)
    if (bytes === undefined) throw malformed('hex', body.hex, 'pairs of hex digits: a UDP payload')
    return bytes
  }
  const mac = parseMac(body.mac ?? '')
  if (mac === undefined) throw malformed('mac', body.mac ?? '', 'hex, or a MAC: six pairs of hex digits')
  return encode(
    composeRequest({
      mac,
      messageType: (body.message ?? 'discover') as MessageType,
      options: optionsOf(body.options ?? {}),
      ...(body.architecture === undefined ? {} : { architecture: body.architecture }),
      ...(body.relay === undefined ? {} : { giaddr: address('relay', body.relay) }),
      ...(body.client_address === undefined
        ? {}
        : { ciaddr: address('client_address', body.client_address) }),
    }),
  )
}

function optionsOf(words: Readonly<Record<string, string>>): ReadonlyMap<number, Uint8Array> {
  const options = new Map<number, Uint8Array>()
  for (const [key, hex] of Object.entries(words)) {
    const code = optionEntryNamed(key)?.code ?? Number(key)
    const isCode = Number.isInteger(code) && code > 0 && code < 255 && code !== 52 && code !== 53
    if (!isCode) throw malformed('options', key, 'a number from 1 to 254 without 52 and 53, or a name')
    const value = fromHex(hex)
    if (value === undefined) throw malformed('options', hex, `option ${key} in pairs of hex digits`)
    options.set(code, value)
  }
  return options
}

/** What is not said of its way follows from the message: a relay sends from its own port, who has an address from there. */
function arrivalOf({ source, source_port: sourcePort, socket }: Body, bytes: Uint8Array): Arrival {
  const decoded = decode(bytes)
  const { giaddr, ciaddr } = decoded.ok ? decoded.packet : { giaddr: UNSPECIFIED, ciaddr: UNSPECIFIED }
  const isRelayed = giaddr !== UNSPECIFIED
  const from = source === undefined ? (isRelayed ? giaddr : ciaddr) : address('source', source)
  return {
    socket: socket ?? (from === UNSPECIFIED ? 'broadcast' : 'unicast'),
    sourceAddress: from,
    sourcePort: sourcePort ?? (isRelayed ? 67 : 68),
  }
}

function address(field: string, value: string): Ipv4 {
  const parsed = parseIpv4(value)
  if (parsed === undefined || parsed === BROADCAST) throw malformed(field, value, 'an IPv4 address')
  return parsed
}
