import type { RemoteInfo, Socket } from 'node:dgram'
import { decode } from '../../dhcp/decode.ts'
import { BROADCAST, type Ipv4 } from '../../net/ipv4.ts'
import type { DhcpReply } from '../../policy/dhcp/dhcp-case.ts'
import type { Arrival, DhcpRequest } from '../../policy/dhcp/question.ts'
import {
  closed,
  type DhcpSockets,
  enlargeReceiveBuffer,
  type InheritedSockets,
  isLoopback,
  namedSockets,
  openDhcpSockets,
} from './dhcp-sockets.ts'
import { type DhcpAnswer, type DhcpLog, logAnswer, requestFacts } from './log-answer.ts'

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
/** More than one retry ladder of a large hall; beyond it a client is better served by its own next try. */
const MOST_PENDING = 8192
const STOP_WAIT_MS = 5000

export interface DhcpServerOptions {
  /** The address of the provisioning interface. */
  readonly address: Ipv4
  /** Decides and carries out; resolves when the reply may leave, rejects when nothing may. */
  readonly answer: (request: DhcpRequest) => Promise<DhcpAnswer>
  readonly log: DhcpLog
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
  readonly #pending = new Set<Promise<void>>()
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
    await settledWithin(this.#pending, STOP_WAIT_MS)
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
    const decoded = decode(bytes)
    const reason = this.#refusal() ?? (decoded.ok ? undefined : decoded.reason)
    if (reason !== undefined || !decoded.ok) {
      this.#count(`dropped:${reason}`)
      this.#options.log.debug(
        { source: remote.address, bytes: bytes.length, reason },
        'datagram dropped unread',
      )
      return
    }
    const arrival: Arrival = {
      socket,
      sourceAddress: remote.address as Ipv4,
      sourcePort: remote.port,
    }
    const work = this.#answer({ packet: decoded.packet, arrival }).finally(() => this.#pending.delete(work))
    this.#pending.add(work)
  }

  #refusal(): string | undefined {
    if (this.#isStopping) return 'stopping'
    return this.#pending.size >= MOST_PENDING ? 'overloaded' : undefined
  }

  /** Never rejects: a packet must not be able to stop the server. */
  async #answer(request: DhcpRequest): Promise<void> {
    const { answer, log } = this.#options
    try {
      const answered = await answer(request)
      const { reply, reason } = answered
      if (reply === undefined) this.#count(`silent:${reason}`)
      else this.#send(reply)
      logAnswer(log, request, answered)
    } catch (error) {
      // No answer is the right answer to a fault of ours: the client tries again (never a NAK).
      this.#count('failed')
      log.error({ ...requestFacts(request), err: error }, 'DHCP message not answered: the server failed')
    }
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
    from.send(reply.bytes, this.#portOf(reply, sockets), address, this.#sent)
    this.#count(`sent:${reply.packet.messageType}`)
  }

  #portOf(reply: DhcpReply, sockets: DhcpSockets): number {
    const { clientPort = 68, relayPort } = this.#options
    switch (reply.towards) {
      case 'client':
        return clientPort
      case 'relay':
        return relayPort ?? sockets.unicast.address().port
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

  #count(name: string): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + 1)
  }
}

async function settledWithin(pending: ReadonlySet<Promise<void>>, ms: number): Promise<void> {
  if (pending.size === 0) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([Promise.all(pending), late])
  clearTimeout(timer)
}
