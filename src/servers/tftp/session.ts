import dgram from 'node:dgram'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { TransferTerms } from '../../tftp/negotiate.ts'
import { errorPacket, oackPacket, parsePacket, type ReadRequest, TFTP_ERROR } from '../../tftp/packet.ts'
import { Transfer, type TransferEnd, type TransferStep } from '../../tftp/transfer.ts'
import type { BlockCache, TftpFile } from './block-cache.ts'

export interface SessionResult {
  readonly client: Ipv4
  readonly file: TftpFile
  readonly end: TransferEnd
  /** Bytes that the client confirmed. */
  readonly bytes: number
  readonly resends: number
  readonly durationMs: number
}

export interface SessionOptions {
  readonly localAddress: Ipv4
  readonly to: { readonly address: Ipv4; readonly port: number }
  readonly request: ReadRequest
  readonly file: TftpFile
  readonly terms: TransferTerms
  readonly blocks: BlockCache
}

/** The life of one transfer: its own socket on the address that was asked, its timer, and the state machine between. */
export class Session {
  readonly ended: Promise<SessionResult>
  readonly #options: SessionOptions
  readonly #transfer: Transfer
  readonly #socket = dgram.createSocket({ type: 'udp4', lookup: asAddress })
  readonly #startedAtMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  #resolve: (result: SessionResult) => void = () => undefined
  #isOver = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#transfer = new Transfer(options.terms, options.file.bytes.length, this.#startedAtMs)
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  get request(): ReadRequest {
    return this.#options.request
  }

  get client(): Ipv4 {
    return this.#options.to.address
  }

  start(): void {
    this.#socket.on('error', () => this.#finish({ kind: 'timed-out' }))
    this.#socket.on('message', (bytes, from) => this.#receive(bytes, from))
    this.#socket.bind(0, this.#options.localAddress, () => {
      if (!this.#isOver) this.#carryOut(this.#transfer.start(performance.now()))
    })
  }

  askAgain(): void {
    this.#carryOut(this.#transfer.take({ kind: 'asked-again' }, performance.now()))
  }

  abort(message: string): void {
    if (this.#isOver) return
    this.#send(errorPacket(TFTP_ERROR.undefined, message))
    this.#finish({ kind: 'aborted', code: TFTP_ERROR.undefined, message })
  }

  #receive(bytes: Uint8Array, from: dgram.RemoteInfo): void {
    const { to } = this.#options
    const packet = parsePacket(bytes)
    if (from.port !== to.port || from.address !== to.address) {
      // RFC 1350 §4: a stranger hears that this is no transfer of its own, and the transfer goes on.
      if (packet !== undefined && packet.kind !== 'error') {
        this.#socket.send(
          errorPacket(TFTP_ERROR.unknownTransfer, 'unknown transfer'),
          from.port,
          from.address,
        )
      }
      return
    }
    if (packet?.kind === 'ack' || packet?.kind === 'error') {
      this.#carryOut(this.#transfer.take(packet, performance.now()))
    }
  }

  #carryOut(step: TransferStep): void {
    if (this.#isOver) return
    switch (step.kind) {
      case 'send-oack':
        this.#send(oackPacket(this.#options.terms.accepted))
        break
      case 'send-blocks':
        for (let block = step.first; block <= step.last; block += 1) {
          this.#send(this.#options.blocks.packet(this.#options.file, this.#options.terms.blockBytes, block))
        }
        break
      case 'wait':
        break
      case 'ended':
        return this.#finish(step.end)
    }
    this.#armTimer()
  }

  /** One timer a session, moved only when it fires: an ACK costs no timer. */
  #armTimer(): void {
    if (this.#timer !== undefined) return
    const waitMs = Math.max(this.#transfer.deadlineMs - performance.now(), 1)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#carryOut(this.#transfer.take({ kind: 'tick' }, performance.now()))
    }, waitMs)
  }

  #send(bytes: Uint8Array): void {
    const { to } = this.#options
    this.#socket.send(bytes, to.port, to.address)
  }

  #finish(end: TransferEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#socket.close()
    const { file, terms, to } = this.#options
    const isWhole = end.kind === 'sent' || end.kind === 'sent-unconfirmed'
    this.#resolve({
      client: to.address,
      file,
      end,
      bytes: isWhole
        ? file.bytes.length
        : Math.min(this.#transfer.acked * terms.blockBytes, file.bytes.length),
      resends: this.#transfer.resends,
      durationMs: performance.now() - this.#startedAtMs,
    })
  }
}

/** Clients are addresses, never names: nothing is looked up, and nothing waits for a resolver. */
function asAddress(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, 4)
}
