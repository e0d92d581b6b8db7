import type { RemoteInfo, Socket } from 'node:dgram'
import { decode } from '../../dhcp/decode.ts'
import { clientMac, type DhcpPacket, MESSAGE_TYPES, type MessageType } from '../../dhcp/packet.ts'
import { BROADCAST, type Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import type { DhcpReply } from '../../policy/dhcp/dhcp-case.ts'
import type { Arrival, DhcpRequest } from '../../policy/dhcp/question.ts'
import { DelayedReplies } from './delayed-replies.ts'
import {
  closed,
  type DhcpSockets,
  enlargeReceiveBuffer,
  type InheritedSockets,
  isLoopback,
  namedSockets,
  openDhcpSockets,
} from './dhcp-sockets.ts'
import type { FloodGuard, FloodReason } from './flood-guard.ts'
import { type DhcpAnswer, type DhcpLog, logAnswer, requestFacts } from './log-answer.ts'
import type { PacketRecorder } from './packet-recorder.ts'
import type { RecordedPacket } from './recorded-packet.ts'

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
/** More than one retry ladder of a large hall; beyond it a client is better served by its own next try. */
const MOST_PENDING = 8192
const STOP_WAIT_MS = 5000
/** What is counted for each reply; put together here, since a new string for every packet would cost a lookup more. */
const SENT = Object.fromEntries(MESSAGE_TYPES.map((type) => [type, `sent:${type}`])) as {
  readonly [Type in MessageType]: string
}
const SERVER_PORT = 67
const PXE_PORT = 4011

export interface DhcpServerOptions {
  /** The address of the provisioning interface. */
  readonly address: Ipv4
  /** Decides and carries out; resolves when the reply may leave, rejects when nothing may. */
  readonly answer: (request: DhcpRequest) => Promise<DhcpAnswer>
  readonly log: DhcpLog
  /** Whether a MAC is a machine's; undefined: all are, and nothing is dropped for being strange. */
  readonly isKnown?: (mac: Mac) => boolean
  readonly guard?: FloodGuard
  /** Told once a minute for each kind of flood. */
  readonly onFlood?: (reason: FloodReason, packet: DhcpPacket) => void
  readonly recorder?: PacketRecorder
  /** Default 67. 0 takes any free port. */
  readonly port?: number
  /** Where clients listen; default 68. */
  readonly clientPort?: number
  /** Where relays listen; default: the server's own port, as relays do. */
  readonly relayPort?: number
  /** Default 4011. 0 takes any free port. */
  readonly proxyPort?: number
  readonly receiveBufferBytes?: number
  /** Sockets that systemd opened; those not given are opened by the server. */
  readonly inherited?: InheritedSockets
}

/** Receives DHCP messages, has them answered, and sends the replies. It decides nothing itself. */
export class DhcpServer {
  readonly #options: DhcpServerOptions
  readonly #counters = new Map<string, number>()
  #pending = 0
  #onIdle: () => void = () => {}
  readonly #delayed = new DelayedReplies()
  #sockets: DhcpSockets | undefined
  #isStopping = false
  #receiveBufferBytes = 0

  constructor(options: DhcpServerOptions) {
    this.#options = options
  }

  /** Counts since the start: `received`, `dropped:<reason>`, `silent:<reason>`, `sent:<message type>`, … */
  get counters(): ReadonlyMap<string, number> {
    return this.#counters
  }

  /** Receive buffer granted by the kernel, in bytes. */
  get receiveBufferBytes(): number {
    return this.#receiveBufferBytes
  }

  /** The ports in use; undefined while the server is not listening. */
  get ports(): { readonly server: number; readonly proxy: number } | undefined {
    const sockets = this.#sockets
    return sockets && { server: sockets.unicast.address().port, proxy: sockets.pxe.address().port }
  }

  /** Sends a message of our own to everybody on the link, as a client would; before the start it goes nowhere. */
  sendToServers(bytes: Uint8Array): void {
    const sockets = this.#sockets
    if (sockets === undefined) return
    const port = this.#options.port ?? SERVER_PORT
    sockets.unicast.send(bytes, port, sockets.broadcastAddress, this.#sent)
  }

  /** Which of the sockets systemd opened; the others are our own. */
  get inherited(): InheritedSockets {
    return this.#options.inherited ?? {}
  }

  /** Opens the ports; rejects with a `DhcpPortError` that names the cure. */
  async start(): Promise<void> {
    const { address, port = 67, proxyPort = 4011, inherited, log } = this.#options
    const sockets = await openDhcpSockets(address, port, proxyPort, inherited)
    this.#isStopping = false
    this.#sockets = sockets
    this.#askForBuffers(sockets)
    for (const [name, socket] of namedSockets(sockets)) {
      socket.on('message', (bytes, remote) => this.#receive(name, bytes, remote))
      socket.on('error', (error) => this.#sendFailed(error))
    }
    log.info({ address, ...this.ports }, 'DHCP is listening')
  }

  /** Takes nothing new, waits up to 5 s for answers on their way, and closes the ports. */
  async stop(): Promise<void> {
    const sockets = this.#sockets
    if (sockets === undefined) return
    this.#isStopping = true
    await this.#idleWithin(STOP_WAIT_MS)
    // Who waits for one of these asks again, and finds another server or this one after its restart.
    this.#delayed.forget()
    this.#sockets = undefined
    await Promise.all(namedSockets(sockets).map(([, socket]) => closed(socket)))
  }

  #askForBuffers(sockets: DhcpSockets): void {
    const wanted = this.#options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES
    const granted = namedSockets(sockets).map(([, socket]) => enlargeReceiveBuffer(socket, wanted))
    this.#receiveBufferBytes = Math.min(...granted)
    if (this.#receiveBufferBytes >= wanted) return
    this.#options.log.warn(
      {
        wantedBytes: wanted,
        grantedBytes: this.#receiveBufferBytes,
        cure: `sysctl -w net.core.rmem_max=${wanted}`,
      },
      'the kernel caps the receive buffer: many machines switched on at once will lose packets and retry',
    )
  }

  #receive(socket: Arrival['socket'], bytes: Uint8Array, remote: RemoteInfo): void {
    this.#count('received')
    // What we broadcast to find other servers comes back to us.
    const isOwn = remote.address === this.#options.address && remote.port === this.ports?.server
    if (isOwn) return this.#count('dropped:our-own')
    const decoded = decode(bytes)
    const mac = decoded.ok ? clientMac(decoded.packet) : undefined
    const isKnown = mac !== undefined && (this.#options.isKnown?.(mac) ?? true)
    const reason =
      this.#refusal(isKnown) ?? (decoded.ok ? this.#flood(decoded.packet, mac, isKnown) : decoded.reason)
    if (reason !== undefined || !decoded.ok) {
      this.#count(`dropped:${reason}`)
      this.#options.log.debug(
        { source: remote.address, bytes: bytes.length, reason },
        'datagram dropped unread',
      )
      return
    }
    this.#record(mac, isKnown, {
      atMs: Date.now(),
      direction: 'received',
      source: remote.address as Ipv4,
      sourcePort: remote.port,
      destination: socket === 'broadcast' ? BROADCAST : this.#options.address,
      destinationPort: socket === 'pxe' ? PXE_PORT : SERVER_PORT,
      payload: bytes,
    })
    const arrival: Arrival = {
      socket,
      sourceAddress: remote.address as Ipv4,
      sourcePort: remote.port,
    }
    void this.#answer({ packet: decoded.packet, arrival })
  }

  /** Strangers fill at most half of what may wait, so that there is always room for a machine. */
  #refusal(isKnown: boolean): string | undefined {
    if (this.#isStopping) return 'stopping'
    const most = isKnown ? MOST_PENDING : MOST_PENDING / 2
    return this.#pending >= most ? 'overloaded' : undefined
  }

  #flood(packet: DhcpPacket, mac: Mac | undefined, isKnown: boolean): string | undefined {
    const { guard, onFlood } = this.#options
    const nowMs = performance.now()
    const reason = guard?.refusal(packet, mac, isKnown, nowMs)
    if (reason !== undefined && guard?.isNews(reason, nowMs) === true) onFlood?.(reason, packet)
    return reason
  }

  #record(mac: Mac | undefined, isKnown: boolean, packet: RecordedPacket): void {
    if (mac !== undefined) this.#options.recorder?.record(mac, isKnown, packet)
  }

  /** Never rejects: a packet must not be able to stop the server. */
  async #answer(request: DhcpRequest): Promise<void> {
    const { answer, log } = this.#options
    this.#pending += 1
    try {
      const answered = await answer(request)
      const { reply, reason } = answered
      if (reply === undefined) this.#count(`silent:${reason}`)
      else this.#sendInTime(reply)
      logAnswer(log, request, answered)
    } catch (error) {
      // No answer is the right answer to a fault of ours: the client tries again (never a NAK).
      this.#count('failed')
      log.error({ ...requestFacts(request), err: error }, 'DHCP message not answered: the server failed')
    } finally {
      this.#pending -= 1
      if (this.#pending === 0) this.#onIdle()
    }
  }

  /** Sends a reply, later where the decision says so: firmware that misses an instant answer. */
  #sendInTime(reply: DhcpReply): void {
    const { delayMs = 0 } = reply
    if (delayMs <= 0 || this.#isStopping) return this.#send(reply)
    const isHeld = this.#delayed.hold(delayMs, () => this.#send(reply))
    this.#count(isHeld ? 'delayed' : 'not-delayed')
    if (!isHeld) this.#send(reply)
  }

  #send(reply: DhcpReply): void {
    const sockets = this.#sockets
    if (sockets === undefined) return
    const from: Socket = reply.from === 'pxe' ? sockets.pxe : sockets.unicast
    const address = reply.address === BROADCAST ? sockets.broadcastAddress : reply.address
    // A simulation on loopback talks of addresses that may exist on a real link: nothing for them may leave. And
    // nobody on a real link has business with this host's loopback, whatever he writes into giaddr.
    if (isLoopback(this.#options.address) !== isLoopback(address)) {
      this.#count('not-sent:loopback')
      return
    }
    const port = this.#portOf(reply, sockets)
    from.send(reply.bytes, port, address, this.#sent)
    const mac = clientMac(reply.packet)
    this.#record(mac, mac !== undefined && (this.#options.isKnown?.(mac) ?? true), {
      atMs: Date.now(),
      direction: 'sent',
      source: this.#options.address,
      sourcePort: reply.from === 'pxe' ? PXE_PORT : SERVER_PORT,
      destination: address,
      destinationPort: reply.port,
      payload: reply.bytes,
    })
    this.#count(SENT[reply.packet.messageType])
  }

  #portOf(reply: DhcpReply, sockets: DhcpSockets): number {
    const { clientPort = 68, relayPort } = this.#options
    switch (reply.towards) {
      case 'client':
        return clientPort
      case 'relay':
        return relayPort ?? sockets.port
      case 'source':
        return reply.port
    }
  }

  /** Without a callback a failed send would pass in silence. One for all sends: a closure each would cost at a storm. */
  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#sendFailed(error)
  }

  /** No route, a full buffer, a link that went down: the client will ask again. */
  #sendFailed(error: Error): void {
    this.#count('send-failed')
    this.#options.log.warn({ err: error }, 'DHCP reply not sent')
  }

  /** Resolves when nothing is on its way any more, or when the time is over. */
  async #idleWithin(ms: number): Promise<void> {
    if (this.#pending === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
      timer = setTimeout(resolve, ms)
    })
    clearTimeout(timer)
  }

  #count(name: string): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + 1)
  }
}
