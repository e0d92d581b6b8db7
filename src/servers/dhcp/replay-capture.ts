import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Config } from '../../config/config.ts'
import { decode } from '../../dhcp/decode.ts'
import { clientMac } from '../../dhcp/packet.ts'
import { allArchitectures } from '../../model/architectures.ts'
import type { CapturedFrame } from '../../net/capture-file.ts'
import { BROADCAST } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { type UdpDatagram, udpDatagramOf } from '../../net/udp-datagram.ts'
import type { Arrival, DhcpRequest } from '../../policy/dhcp/question.ts'
import type { Effect } from '../../policy/effect.ts'
import { Store } from '../../store/store.ts'
import { answerDhcp } from './answer-dhcp.ts'
import type { DhcpPlace } from './dhcp-place.ts'
import { answerResource, droppedResource } from './simulate-dhcp.ts'

/** A client's packet of a capture: what reached, or would have reached, the server. */
export interface ClientPacket {
  readonly frame: number
  readonly atMs: number
  readonly bytes: Uint8Array
  readonly arrival: Arrival
}

const SERVER_PORT = 67
const PXE_PORT = 4011
const REPLY_OP = 2

/** What clients and relays sent to a server in a capture, in order; replies and all else are passed over. */
export function clientPacketsOf(frames: readonly CapturedFrame[]): readonly ClientPacket[] {
  return frames.flatMap(({ number, atMs, linkType, bytes }) => {
    const datagram = udpDatagramOf(linkType, bytes)
    if (datagram === undefined || datagram.payload[0] === REPLY_OP) return []
    const isForServer = datagram.destinationPort === SERVER_PORT || datagram.destinationPort === PXE_PORT
    return isForServer ? [{ frame: number, atMs, bytes: datagram.payload, arrival: arrivalOf(datagram) }] : []
  })
}

function arrivalOf({ source, sourcePort, destination, destinationPort }: UdpDatagram): Arrival {
  const socket = destinationPort === PXE_PORT ? 'pxe' : destination === BROADCAST ? 'broadcast' : 'unicast'
  return { socket, sourceAddress: source, sourcePort }
}

export interface ReplayOptions {
  readonly config: Config
  readonly migrationsDir: string
  /** Loaders that count as on hand; undefined: one for every architecture that we know a loader of. */
  readonly loaders?: ReadonlySet<string>
  /** True to register every MAC of the capture first, as an enrolled machine. */
  readonly registersAll: boolean
}

/**
 * Runs a capture's client packets through the decision, one after the other, over a store of its own that is thrown
 * away: what one packet changes, the next one finds. The clock is the capture's.
 *
 * @param tell is given one answer a packet, as it comes.
 */
export async function replayCapture(
  packets: readonly ClientPacket[],
  options: ReplayOptions,
  tell: (answer: object) => void,
): Promise<void> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'pilotlight-replay-'))
  let clockMs = packets[0]?.atMs ?? 0
  const store = Store.open({
    dataDir,
    migrationsDir: options.migrationsDir,
    onFatal: (error) => {
      throw error
    },
    clocks: { wallMs: () => clockMs, monotonicMs: () => clockMs },
  })
  try {
    if (options.registersAll) await register(store, packets)
    for (const packet of packets) {
      clockMs = Math.max(clockMs, packet.atMs)
      tell({ frame: packet.frame, ...(await answerTo(store, placeOf(options), packet)) })
    }
  } finally {
    store.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function answerTo(store: Store, place: DhcpPlace, { bytes, arrival }: ClientPacket) {
  const decoded = decode(bytes)
  if (!decoded.ok) return droppedResource(decoded.reason)
  const request: DhcpRequest = { packet: decoded.packet, arrival }
  return answerResource(request, await answerDhcp(store, place, request))
}

function placeOf({ config, loaders }: ReplayOptions): DhcpPlace {
  const { serverAddress: address } = config
  return { config, address, ownAddresses: [address], loaders: loaders ?? allLoaders() }
}

function allLoaders(): ReadonlySet<string> {
  const names = allArchitectures().flatMap(({ loader }) => (loader === undefined ? [] : [loader]))
  return new Set([...names, 'ipxe.pxe'])
}

async function register(store: Store, packets: readonly ClientPacket[]): Promise<void> {
  const macs = new Set<Mac>()
  for (const { bytes } of packets) {
    const decoded = decode(bytes)
    const mac = decoded.ok ? clientMac(decoded.packet) : undefined
    if (mac !== undefined) macs.add(mac)
  }
  await store.decide(
    (view) => view.nowMs,
    (createdAtMs) => ({
      reply: undefined,
      reason: 'registered',
      effects: [...macs].map(
        (mac, index): Effect => ({
          kind: 'put-machine',
          machine: {
            id: `replay-${index}`,
            name: `replay-${mac.replaceAll(':', '')}`,
            macs: [mac],
            role: 'worker',
            state: 'enrolled',
            bootMode: 'netboot',
            localBoot: 'exit',
            createdAtMs,
          },
        }),
      ),
    }),
  )
}
