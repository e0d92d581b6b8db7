import { decode } from '../../src/dhcp/decode.ts'
import { encode } from '../../src/dhcp/encode.ts'
import { payloadMaxOf } from '../../src/dhcp/options.ts'
import { type DhcpPacket, OPTION } from '../../src/dhcp/packet.ts'
import { equalBytes, toHex } from '../../src/net/bytes.ts'
import type { DhcpReply } from '../../src/policy/dhcp/dhcp-case.ts'
import type { Arrival } from '../../src/policy/dhcp/question.ts'
import {
  arrivalFrom,
  BROADCAST_ARRIVAL,
  DhcpWorld,
  leaseOf,
  machineOf,
  offerOf,
  settingsOf,
} from '../support/dhcp-builders.ts'
import { readCaptures } from '../support/dhcp-captures.ts'
import { VECTORS } from '../support/dhcp-vectors.ts'
import { mutated, takeApart } from './dhcp-mutations.ts'
import { demand, FuzzFailure, type FuzzOptions, type FuzzResult, FuzzTally } from './fuzzing.ts'
import { SeededRandom } from './random.ts'

const ARRIVALS: readonly Arrival[] = [
  BROADCAST_ARRIVAL,
  BROADCAST_ARRIVAL,
  arrivalFrom('192.0.2.51'),
  arrivalFrom('198.51.100.2', { sourcePort: 67 }),
  arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 4011 }),
  // A datagram need not say where it comes from (RFC 768), and nothing can be sent there.
  arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 0 }),
  arrivalFrom('198.51.100.2', { sourcePort: 0 }),
]
const LOOK_EVERY = 50_000

/**
 * Sends mutated packets through decode, decision, encode and decode again. Nothing may throw, what is no request may
 * get no reply, and every reply is one that a client can read and that answers its own message.
 *
 * @throws FuzzFailure at the first packet that breaks a rule.
 */
export function fuzzDhcp(options: FuzzOptions): FuzzResult {
  const { seed } = options
  const random = new SeededRandom(seed)
  const seeds = [...VECTORS.filter(({ bytes }) => bytes.length > 240), ...readCaptures()].map(({ bytes }) =>
    takeApart(bytes),
  )
  const worlds = allWorlds()
  const tally = new FuzzTally(options, LOOK_EVERY)
  while (tally.goesOn('packets')) {
    const bytes = mutated(random, seeds)
    const [name, world] = random.pick(worlds)
    const arrival = random.pick(ARRIVALS)
    try {
      const way = tryOne(bytes, world, arrival)
      tally.add(way, !way.startsWith('dropped') && !way.startsWith('silent'))
    } catch (cause) {
      const what = `packet ${tally.index} of seed ${seed}, world ${name}:\n${toHex(bytes)}`
      throw new FuzzFailure((cause as Error).message, what, cause)
    }
  }
  return tally.result
}

function tryOne(bytes: Uint8Array, world: DhcpWorld, arrival: Arrival): string {
  const before = bytes.slice()
  const decoded = decode(bytes)
  if (!decoded.ok) return `dropped ${decoded.reason}`
  demand(!isGarbage(bytes), 'read as a request, and is none')
  const { reply, reason } = world.decide({ packet: decoded.packet, arrival })
  demand(/^[a-z0-9-]+$/.test(reason), `no word: ${reason}`)
  demand(equalBytes(bytes, before), 'the packet was written into')
  if (reply === undefined) return `silent ${reason}`
  checkReply(decoded.packet, reply, arrival)
  return `${reply.packet.messageType} ${reason}`
}

/** By the bytes alone, without our decoder: what nobody could take for a message of an Ethernet client. */
function isGarbage(bytes: Uint8Array): boolean {
  const cookie = [0x63, 0x82, 0x53, 0x63].every((byte, at) => bytes[236 + at] === byte)
  return bytes.length < 240 || bytes[0] !== 1 || (bytes[2] ?? 99) > 16 || !cookie
}

function checkReply(request: DhcpPacket, reply: DhcpReply, arrival: Arrival): void {
  const { bytes, packet, address } = reply
  demand(['discover', 'request', 'inform'].includes(request.messageType), `answered a ${request.messageType}`)
  demand(
    ((request.chaddr[0] ?? 0) & 1) === 0 && request.hlen === 6,
    'answered what no single card can have sent',
  )
  demand(bytes.length >= 300, `${bytes.length} bytes, want at least 300`)
  demand(
    bytes.length <= Math.max(300, payloadMaxOf(request)),
    `${bytes.length} bytes are more than the client takes`,
  )
  const read = decode(bytes, 'reply')
  if (!read.ok) throw new Error(`unreadable reply: ${read.reason}`)
  demand(equalBytes(encode(read.packet), bytes), 'the reply does not survive decode and encode')
  demand(
    read.packet.xid === request.xid && equalBytes(read.packet.chaddr, request.chaddr),
    'answers another client',
  )
  demand(read.packet.giaddr === request.giaddr, 'giaddr changed')
  const isOffer = packet.messageType === 'offer'
  demand(
    isOffer === (request.messageType === 'discover'),
    `${packet.messageType} to a ${request.messageType}`,
  )
  demand(read.packet.options.has(OPTION.serverId), 'no option 54')
  demand(bytes[240] === OPTION.messageType, 'option 53 does not lead')
  if (packet.messageType === 'nak')
    demand(packet.yiaddr === '0.0.0.0' && packet.file === '', 'a NAK with gifts')
  const relayInformation = read.packet.options.get(OPTION.relayAgent)
  if (relayInformation !== undefined) {
    demand(
      equalBytes(relayInformation, request.options.get(OPTION.relayAgent) ?? new Uint8Array()),
      '82 changed',
    )
    demand([...read.packet.options.keys()].at(-1) === OPTION.relayAgent, '82 is not last')
  }
  const first = Number.parseInt(address, 10)
  demand(address === '255.255.255.255' || (first > 0 && first < 224), `sent to ${address}`)
  demand(reply.port > 0, 'sent to no port')
  demand(arrival.socket !== 'pxe' || reply.from === 'pxe', 'a question to 4011 answered from elsewhere')
}

/** Worlds that serve whoever asks, so that garbage reaches the decisions and not only the door. */
function allWorlds(): readonly (readonly [name: string, world: DhcpWorld])[] {
  const open = (changes: Parameters<typeof settingsOf>[0]) => {
    const world = new DhcpWorld()
    world.settings = settingsOf({ unknownMachines: 'discover', ...changes })
    world.machines.push(machineOf(9, { macs: ['dc:a6:32:00:00:14' as never] }))
    return world
  }
  const leased = open({})
  leased.leases = [leaseOf(1, '192.0.2.50'), leaseOf(2, '192.0.2.51'), leaseOf(3, '192.0.2.120')]
  leased.offers = [offerOf(3, '192.0.2.121'), offerOf(5, '192.0.2.100')]
  return [
    ['authoritative', open({})],
    ['leased', leased],
    ['proxy', open({ mode: 'proxy' })],
    ['proxy direct', open({ mode: 'proxy', proxyUefi: 'direct' })],
    ['closed', new DhcpWorld()],
  ]
}
