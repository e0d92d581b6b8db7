import { randomInt } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { decode } from '../dhcp/decode.ts'
import { encode } from '../dhcp/encode.ts'
import { addressesValue, serverIdOf, textOf, uint16Value } from '../dhcp/options.ts'
import { chaddrOf, type DhcpPacket, OPTION, packetOf } from '../dhcp/packet.ts'
import { RELAY } from '../dhcp/relay-agent.ts'
import { writeSubOptions } from '../dhcp/sub-options.ts'
import { concatBytes, fromHex, textBytes } from '../net/bytes.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import { type Mac, macToBytes } from '../net/mac.ts'

/** Who asks: firmware of one of two kinds, the iPXE that it loaded, or the operating system at the end. */
export type Personality = 'bios-rom' | 'uefi' | 'uefi-http' | 'ipxe-bios' | 'ipxe-uefi' | 'os'

export interface LeaseWish {
  readonly mac: Mac
  readonly uuid: string
  readonly personality: Personality
  readonly server: { readonly address: Ipv4; readonly port: number }
  /**
   * The address that stands for the relay. On loopback nobody hears a broadcast, so a simulated machine brings its own
   * relay agent, which asks for its answers at the port that it asks from (RFC 8357).
   */
  readonly relayAddress: Ipv4
  /** The port that the relay says it came by (option 82, circuit id); default: `sim`. */
  readonly relayPort?: string
  readonly timeoutMs: number
  /** Gives up at once, as a machine does that is switched off. */
  readonly signal?: AbortSignal
}

export interface ObtainedLease {
  readonly address: Ipv4
  readonly nextServer: Ipv4
  /** Option 67, else the `file` field; empty when the reply carries no boot file. */
  readonly bootFile: string
  readonly serverId: Ipv4
}

const RETRY_AFTER_MS = 1_000

/** Takes a lease by DISCOVER, OFFER, REQUEST, ACK. Silence past the time rejects; a NAK begins anew. */
export async function obtainLease(wish: LeaseWish): Promise<ObtainedLease> {
  const socket = dgram.createSocket('udp4')
  socket.bind(0, wish.relayAddress)
  await once(socket, 'listening')
  const port = socket.address().port
  const deadline = performance.now() + wish.timeoutMs
  try {
    for (;;) {
      const xid = randomInt(0, 2 ** 32)
      const offer = await ask(socket, wish, dhcpMessage(wish, 'discover', xid, port), 'offer', deadline)
      const serverId = serverIdOf(offer)
      if (serverId === undefined) throw new Error('an OFFER came without option 54')
      const chosen: [number, Uint8Array][] = [
        [OPTION.serverId, addressesValue([serverId])],
        [OPTION.requestedAddress, addressesValue([offer.yiaddr])],
      ]
      const answer = await ask(socket, wish, dhcpMessage(wish, 'request', xid, port, chosen), 'ack', deadline)
      if (answer.messageType === 'nak') continue
      const bootFile = textOf(answer, OPTION.bootFile) || answer.file
      return { address: answer.yiaddr, nextServer: answer.siaddr, bootFile, serverId }
    }
  } finally {
    socket.close()
  }
}

async function ask(
  socket: dgram.Socket,
  wish: LeaseWish,
  packet: DhcpPacket,
  wanted: 'offer' | 'ack',
  deadline: number,
): Promise<DhcpPacket> {
  const bytes = encode(packet)
  while (performance.now() < deadline) {
    wish.signal?.throwIfAborted()
    socket.send(bytes, wish.server.port, wish.server.address)
    const reply = await replyTo(socket, packet.xid, wanted, wish.signal)
    if (reply !== undefined) return reply
  }
  throw new Error(`${wish.personality} of ${wish.mac}: no DHCP ${wanted} within ${wish.timeoutMs} ms`)
}

/** The first reply with our xid, or undefined after the time to ask again. */
function replyTo(
  socket: dgram.Socket,
  xid: number,
  wanted: 'offer' | 'ack',
  signal: AbortSignal | undefined,
): Promise<DhcpPacket | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(undefined), RETRY_AFTER_MS)
    const giveUp = () => done(undefined)
    signal?.addEventListener('abort', giveUp)
    const done = (packet: DhcpPacket | undefined) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      socket.off('message', onMessage)
      resolve(packet)
    }
    const onMessage = (bytes: Buffer) => {
      const decoded = decode(bytes, 'reply')
      if (!decoded.ok || decoded.packet.xid !== xid) return
      const type = decoded.packet.messageType
      if (type === wanted || (wanted === 'ack' && type === 'nak')) done(decoded.packet)
    }
    socket.on('message', onMessage)
  })
}

/** One message of a client of that personality, through its own relay agent; `port` is where it wants the answer. */
export function dhcpMessage(
  wish: LeaseWish,
  messageType: 'discover' | 'request',
  xid: number,
  port: number,
  chosen: readonly [number, Uint8Array][] = [],
): DhcpPacket {
  const relayAgent = writeSubOptions([
    [RELAY.circuitId, textBytes(wish.relayPort ?? 'sim')],
    [RELAY.sourcePort, uint16Value(port)],
  ])
  return packetOf({
    op: 1,
    messageType,
    xid,
    hops: 1,
    giaddr: wish.relayAddress,
    chaddr: chaddrOf(wish.mac),
    options: new Map([...chosen, ...optionsOf(wish), [OPTION.relayAgent, relayAgent]]),
  })
}

/** The options that tell each personality: what real firmware and iPXE send, in short. */
function optionsOf(wish: LeaseWish): [number, Uint8Array][] {
  const { personality } = wish
  const asked = Uint8Array.of(1, 3, 6, 12, 15, 28, 43, 60, 66, 67, 97)
  const clientId: [number, Uint8Array] = [
    OPTION.clientId,
    concatBytes([Uint8Array.of(1), macToBytes(wish.mac)]),
  ]
  if (personality === 'os') return [[OPTION.parameterList, asked.subarray(0, 6)], clientId]

  const isHttp = personality === 'uefi-http'
  const isUefi = isHttp || personality === 'uefi' || personality === 'ipxe-uefi'
  const architecture = isHttp ? 16 : isUefi ? 7 : 0
  const undi = isUefi ? '003000' : '002001'
  const options: [number, Uint8Array][] = [
    [OPTION.maxMessageSize, uint16Value(1472)],
    [OPTION.architecture, uint16Value(architecture)],
    [OPTION.networkInterface, Uint8Array.of(1, isUefi ? 3 : 2, isUefi ? 0 : 1)],
    [
      OPTION.vendorClass,
      textBytes(
        `${isHttp ? 'HTTPClient' : 'PXEClient'}:Arch:${String(architecture).padStart(5, '0')}:UNDI:${undi}`,
      ),
    ],
    [OPTION.parameterList, asked],
    [OPTION.machineUuid, uuidValue(wish.uuid)],
  ]
  if (personality === 'ipxe-bios' || personality === 'ipxe-uefi') {
    options.push([OPTION.userClass, textBytes('iPXE')], [OPTION.ipxe, ipxeFeatures(isUefi)], clientId)
  }
  return options
}

/** Option 175 of an iPXE with HTTP and what it needs to boot Linux. */
function ipxeFeatures(isUefi: boolean): Uint8Array {
  const one = Uint8Array.of(1)
  return writeSubOptions([
    [0xeb, Uint8Array.of(1, 21, 1)],
    [0x13, one],
    [0x15, one],
    [isUefi ? 0x24 : 0x18, one],
  ])
}

/** Option 97: type 0, then the UUID with its first three fields little-endian, as SMBIOS keeps them. */
function uuidValue(uuid: string): Uint8Array {
  const bytes = fromHex(uuid.replaceAll('-', ''))
  if (bytes?.length !== 16) throw new Error(`${uuid} is no UUID`)
  const swap = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
  return Uint8Array.of(0, ...swap.map((index) => bytes[index] ?? 0))
}
