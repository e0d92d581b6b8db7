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
import { SeededRandom } from './random.ts'

/** What a run of the fuzzer came to. */
export interface FuzzResult {
  readonly packets: number
  readonly replies: number
  readonly seconds: number
  /** How often each way of a packet was taken: `dropped too-short`, `silent no-subnet`, `offer offered-again`. */
  readonly ways: ReadonlyMap<string, number>
}

export interface FuzzOptions {
  readonly seed: number
  /** Packets to try; the time may end the run before. */
  readonly packets: number
  readonly seconds?: number
  readonly say?: (line: string) => void
}

/** A packet that broke a rule, with what repeats it. */
export class FuzzFailure extends Error {
  constructor(why: string, seed: number, index: number, world: string, bytes: Uint8Array, cause?: unknown) {
    super(`${why}\npacket ${index} of seed ${seed}, world ${world}:\n${toHex(bytes)}`, { cause })
  }
}

const ARRIVALS: readonly Arrival[] = [
  BROADCAST_ARRIVAL,
  BROADCAST_ARRIVAL,
  arrivalFrom('192.0.2.51'),
  arrivalFrom('198.51.100.2', { sourcePort: 67 }),
  arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 4011 }),
]
const LOOK_EVERY = 50_000

/**
 * Sends mutated packets through decode, decision, encode and decode again. Nothing may throw, what is no request may
 * get no reply, and every reply is one that a client can read and that answers its own message.
 *
 * @throws FuzzFailure at the first packet that breaks a rule.
 */
export function fuzzDhcp({
  seed,
  packets,
  seconds = Number.POSITIVE_INFINITY,
  say,
}: FuzzOptions): FuzzResult {
  const random = new SeededRandom(seed)
  const seeds = [...VECTORS.filter(({ bytes }) => bytes.length > 240), ...readCaptures()].map(({ bytes }) =>
    takeApart(bytes),
  )
  const worlds = allWorlds()
  const ways = new Map<string, number>()
  const startedAt = performance.now()
  const elapsed = () => (performance.now() - startedAt) / 1000
  let replies = 0
  let index = 0
  for (; index < packets; index += 1) {
    if (index % LOOK_EVERY === 0 && index > 0) {
      say?.(`${index} packets, ${replies} replies, ${elapsed().toFixed(0)} s`)
      if (elapsed() >= seconds) break
    }
    const bytes = mutated(random, seeds)
    const [name, world] = random.pick(worlds)
    const arrival = random.pick(ARRIVALS)
    let way: string
    try {
      way = tryOne(bytes, world, arrival)
    } catch (cause) {
      throw new FuzzFailure((cause as Error).message, seed, index, name, bytes, cause)
    }
    if (!way.startsWith('dropped') && !way.startsWith('silent')) replies += 1
    ways.set(way, (ways.get(way) ?? 0) + 1)
  }
  return { packets: index, replies, seconds: elapsed(), ways }
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
  demand(arrival.socket !== 'pxe' || reply.from === 'pxe', 'a question to 4011 answered from elsewhere')
}

function demand(holds: boolean, why: string): void {
  if (!holds) throw new Error(why)
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
