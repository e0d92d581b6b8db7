import dgram from 'node:dgram'
import { once } from 'node:events'
import type { Ipv4 } from '../../net/ipv4.ts'
import { PortError } from '../port-error.ts'
import { type DeskOptions, RequestDesk } from './request-desk.ts'
import type { Peer } from './session.ts'
import { SinglePortTransfers } from './single-port.ts'
import { DEFAULT_TFTP_LIMITS, type TftpLimits } from './tftp-limits.ts'
import { asAddress, LocalTransfers, type TransferHost } from './transfer-host.ts'
import { TransferWorkers } from './transfer-workers.ts'

const RECEIVE_BUFFER_BYTES = 1024 * 1024

export interface TftpServerOptions extends DeskOptions {
  readonly address: Ipv4
  readonly port: number
  readonly limits?: Partial<TftpLimits>
}

/** Read-only TFTP (RFC 1350 and its options): one listener that admits, and a host that runs the transfers. */
export class TftpServer {
  readonly #options: TftpServerOptions
  readonly #limits: TftpLimits
  readonly #socket: dgram.Socket
  readonly #host: TransferHost
  readonly #desk: RequestDesk
  #isStopping = false

  constructor(options: TftpServerOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_TFTP_LIMITS, ...options.limits }
    this.#socket = dgram.createSocket({
      type: 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
      lookup: asAddress,
    })
    const { singlePort, workers, cacheBytes } = this.#limits
    const { address: localAddress, log } = options
    const onePort = singlePort ? new SinglePortTransfers(this.#socket, cacheBytes) : undefined
    this.#host =
      onePort ??
      (workers === 0
        ? new LocalTransfers(localAddress, cacheBytes)
        : new TransferWorkers({
            localAddress,
            count: workers,
            cacheBytes,
            onDeath: (error) => log.error({ err: error }, 'a TFTP thread died with its transfers'),
          }))
    this.#desk = new RequestDesk({
      options,
      limits: this.#limits,
      host: this.#host,
      ...(onePort === undefined ? {} : { singlePort: onePort }),
      refuse: (packet, to) => this.#refuse(packet, to),
    })
  }

  /** Drops, refusals and ends by reason since start. */
  get counters(): ReadonlyMap<string, number> {
    return this.#desk.counters
  }

  async start(): Promise<void> {
    this.#socket.on('message', (bytes, from) => this.#desk.receive(bytes, from))
    // Before the bind: an address needs no look-up, so the socket may listen at once.
    const listening = once(this.#socket, 'listening')
    this.#socket.bind(this.#options.port, this.#options.address)
    try {
      await listening
    } catch (error) {
      await this.stop(0)
      const { address, port } = this.#options
      throw new PortError('TFTP', `${address}:${port}`, 'tftp.port', error)
    }
    this.#socket.on('error', (error) => this.#options.log.error({ err: error }, 'TFTP listener failed'))
  }

  /** The port that it listens on: of use where 0 was asked for. */
  get port(): number {
    return this.#socket.address().port
  }

  get transfers(): number {
    return this.#desk.running.length
  }

  /** Takes no new requests, and lets running transfers finish for at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#desk.close()
    const ended = Promise.all(this.#desk.running.map((transfer) => transfer.ended))
    let grace: NodeJS.Timeout | undefined
    await Promise.race([ended, new Promise((resolve) => (grace = setTimeout(resolve, graceMs)))])
    clearTimeout(grace)
    const cut = this.#desk.running
    for (const transfer of cut) transfer.abort('the server stops')
    await Promise.all(cut.map((transfer) => transfer.ended))
    await this.#host.close()
    this.#socket.close()
  }

  #refuse(packet: Uint8Array, to: Peer): void {
    if (this.#limits.singlePort) return void this.#socket.send(packet, to.port, to.address)
    // From a port of its own, as every answer is: iPXE takes the first peer that answers for the whole transfer.
    const socket = dgram.createSocket({ type: 'udp4', lookup: asAddress })
    socket.on('error', () => socket.close())
    socket.bind(0, this.#options.address, () => {
      socket.send(packet, to.port, to.address, () => socket.close())
    })
  }
}
