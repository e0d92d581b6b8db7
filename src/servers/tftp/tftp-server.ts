import dgram from 'node:dgram'
import { once } from 'node:events'
import type { Logger } from 'pino'
import { printable } from '../../net/bytes.ts'
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts'
import { cleanFileName } from '../../tftp/file-name.ts'
import { negotiate, type TransferLimits } from '../../tftp/negotiate.ts'
import { errorPacket, parsePacket, type ReadRequest, TFTP_ERROR } from '../../tftp/packet.ts'
import { BlockCache, type TftpFile } from './block-cache.ts'
import { netasciiOf } from './netascii-file.ts'
import { RequestRates } from './request-rates.ts'
import { Session, type SessionResult } from './session.ts'

const RECEIVE_BUFFER_BYTES = 1024 * 1024

export interface TftpServerOptions {
  readonly address: Ipv4
  readonly port: number
  readonly log: Logger
  /** Looks a clean name up in a list of what there is; never a path. */
  find(name: string): TftpFile | undefined
  /** True for addresses of served subnets: nobody else gets a byte, so nobody can be flooded through us. */
  admits(address: Ipv4): boolean
  onEnd?(result: SessionResult): void
  readonly limits?: Partial<TftpLimits>
}

export interface TftpLimits extends TransferLimits {
  readonly sessions: number
  readonly sessionsPerAddress: number
  readonly requestsPerSecond: number
}

const DEFAULT_LIMITS: TftpLimits = {
  maxBlockBytes: 1468,
  maxWindow: 16,
  sessions: 2048,
  sessionsPerAddress: 8,
  requestsPerSecond: 40,
}

/** Read-only TFTP (RFC 1350 and its options): one listener, and a socket of its own for every transfer. */
export class TftpServer {
  /** Drops and refusals by reason since start. */
  readonly counters = new Map<string, number>()
  readonly #options: TftpServerOptions
  readonly #limits: TftpLimits
  readonly #socket: dgram.Socket
  readonly #sessions = new Map<string, Session>()
  readonly #blocks = new BlockCache()
  readonly #rates = new RequestRates()
  #isStopping = false

  constructor(options: TftpServerOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#socket = dgram.createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES })
  }

  async start(): Promise<void> {
    this.#socket.on('message', (bytes, from) => this.#receive(bytes, from))
    this.#socket.bind(this.#options.port, this.#options.address)
    await once(this.#socket, 'listening')
    this.#socket.on('error', (error) => this.#options.log.error({ err: error }, 'TFTP listener failed'))
  }

  /** The port that it listens on: of use where 0 was asked for. */
  get port(): number {
    return this.#socket.address().port
  }

  /** Takes no new requests, and lets running transfers finish for at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    const ended = Promise.all([...this.#sessions.values()].map((session) => session.ended))
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, graceMs).unref())])
    for (const session of this.#sessions.values()) session.abort('the server stops')
    this.#socket.close()
  }

  #receive(bytes: Uint8Array, from: dgram.RemoteInfo): void {
    const client = parseIpv4(from.address)
    if (client === undefined || !this.#options.admits(client)) return this.#count('not-admitted')
    const packet = parsePacket(bytes)
    if (packet === undefined) return this.#count('not-tftp')
    switch (packet.kind) {
      case 'rrq':
        return this.#answer(packet, client, from.port)
      case 'wrq':
        this.#count('write-refused')
        return this.#refuse(from, TFTP_ERROR.accessViolation, 'this server is read-only')
      case 'malformed-request':
        this.#count('malformed-request')
        return this.#refuse(from, TFTP_ERROR.illegalOperation, packet.message)
      default:
        // RFC 1350 §4: never answer what may itself be an answer.
        return this.#count('stray-packet')
    }
  }

  #answer(request: ReadRequest, client: Ipv4, port: number): void {
    const { log } = this.#options
    const to = { address: client, port }
    const peer = `${client}:${port}`
    const running = this.#sessions.get(peer)
    if (running?.request.fileName === request.fileName) return running.askAgain()
    running?.abort('the client began another transfer')
    if (this.#isStopping) return this.#count('stopping')
    if (!this.#rates.allows(client, this.#limits.requestsPerSecond, performance.now()))
      return this.#count('rate-limited')
    if (
      this.#sessions.size >= this.#limits.sessions ||
      this.#ofAddress(client) >= this.#limits.sessionsPerAddress
    ) {
      this.#count('too-many-sessions')
      return this.#refuse(to, TFTP_ERROR.undefined, 'too many transfers at once')
    }
    const name = cleanFileName(request.fileName)
    if (name === undefined) {
      this.#count('hostile-name')
      log.warn({ client, file: printable(request.fileName) }, 'TFTP name refused')
      return this.#refuse(to, TFTP_ERROR.accessViolation, 'no such name')
    }
    const found = this.#options.find(name)
    if (found === undefined) {
      this.#count('not-found')
      log.info({ client, file: printable(name) }, 'TFTP file not found')
      return this.#refuse(to, TFTP_ERROR.fileNotFound, 'file not found')
    }
    this.#begin(request, request.mode === 'netascii' ? netasciiOf(found) : found, to, peer)
  }

  #begin(request: ReadRequest, file: TftpFile, to: { address: Ipv4; port: number }, peer: string): void {
    const terms = negotiate(request, file.bytes.length, this.#limits)
    const session = new Session({
      localAddress: this.#options.address,
      to,
      request,
      file,
      terms,
      blocks: this.#blocks,
    })
    this.#sessions.set(peer, session)
    session.ended.then((result) => {
      if (this.#sessions.get(peer) === session) this.#sessions.delete(peer)
      this.#count(result.end.kind)
      this.#options.log.info(
        {
          client: to.address,
          file: file.name,
          end: result.end.kind,
          bytes: result.bytes,
          resends: result.resends,
          ms: Math.round(result.durationMs),
        },
        'TFTP transfer ended',
      )
      this.#options.onEnd?.(result)
    })
    session.start()
  }

  #ofAddress(client: Ipv4): number {
    let count = 0
    for (const session of this.#sessions.values()) if (session.client === client) count += 1
    return count
  }

  #refuse(to: { address: string; port: number }, code: number, message: string): void {
    // From a port of its own, as every answer is: iPXE takes the first peer that answers for the whole transfer.
    const socket = dgram.createSocket('udp4')
    socket.on('error', () => socket.close())
    socket.bind(0, this.#options.address, () => {
      socket.send(errorPacket(code, message), to.port, to.address, () => socket.close())
    })
  }

  #count(reason: string): void {
    this.counters.set(reason, (this.counters.get(reason) ?? 0) + 1)
  }
}
