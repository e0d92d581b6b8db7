import fc from 'fast-check'
import t from 'tap'
import { decode } from '../../../src/dhcp/decode.ts'
import type { Arrival } from '../../../src/policy/dhcp/question.ts'
import {
  arrivalFrom,
  BROADCAST_ARRIVAL,
  DhcpWorld,
  machineOf,
  settingsOf,
} from '../../support/dhcp-builders.ts'
import { readCaptures } from '../../support/dhcp-captures.ts'
import { VECTORS } from '../../support/dhcp-vectors.ts'

const SEEDS = [...VECTORS, ...readCaptures()].map((one) => one.bytes)
const RUNS = 20_000

const ARRIVALS: readonly Arrival[] = [
  BROADCAST_ARRIVAL,
  arrivalFrom('192.0.2.51'),
  arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 4011 }),
]

/** A world that serves whoever asks, so that garbage reaches the decisions and not only the door. */
function openHouse(mode: 'authoritative' | 'proxy'): DhcpWorld {
  const world = new DhcpWorld()
  world.settings = settingsOf({ mode, unknownMachines: 'discover' })
  world.machines.push(machineOf(9, { macs: ['dc:a6:32:00:00:14' as never] }))
  return world
}

const mutation = fc.record({
  seed: fc.nat(SEEDS.length - 1),
  edits: fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 8 }),
  cut: fc.option(fc.nat(600)),
  arrival: fc.constantFrom(...ARRIVALS),
  mode: fc.constantFrom('authoritative' as const, 'proxy' as const),
})

t.test(
  `${RUNS} mutated packets: no throw, no reply to what is no request, every reply well-formed`,
  async (t) => {
    let replies = 0
    fc.assert(
      fc.property(mutation, ({ seed, edits, cut, arrival, mode }) => {
        const bytes = Uint8Array.from(SEEDS[seed] ?? [])
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
        const decoded = decode(cut === null ? bytes : bytes.subarray(0, cut))
        if (!decoded.ok) return true
        const request = { packet: decoded.packet, arrival }
        const { reply, reason } = openHouse(mode).handle(request)
        if (!/^[a-z0-9-]+$/.test(reason)) return false
        if (reply === undefined) return true
        replies += 1
        const read = decode(reply.bytes, 'reply')
        return (
          read.ok &&
          read.packet.xid === decoded.packet.xid &&
          reply.bytes.length >= 300 &&
          ['discover', 'request', 'inform'].includes(decoded.packet.messageType) &&
          reply.address !== '0.0.0.0'
        )
      }),
      { numRuns: RUNS, seed: 20260101 },
    )
    t.ok(replies > RUNS / 10, `${replies} of them were answered: the mutations reach the decisions`)
  },
)

t.test('no two clients are ever promised one address, whatever is thrown at the server', async (t) => {
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 5, maxLength: 40 }), (mutations) => {
      const world = openHouse('authoritative')
      for (const { seed, edits, arrival } of mutations) {
        const bytes = Uint8Array.from(SEEDS[seed] ?? [])
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
        const decoded = decode(bytes)
        if (decoded.ok) world.handle({ packet: decoded.packet, arrival })
        const held = new Map<string, string>()
        for (const { address, mac } of [
          ...world.leases.filter((one) => one.state === 'active'),
          ...world.offers,
        ]) {
          const holder = held.get(address)
          if (holder !== undefined && holder !== mac) return false
          held.set(address, mac)
        }
      }
      return true
    }),
    { numRuns: 500, seed: 20260102 },
  )
  t.pass('500 storms')
})
