import type { Ipv4 } from '../../net/ipv4.ts'
import type { TransferTerms } from '../../tftp/negotiate.ts'
import { errorPacket, oackPacket, parsePacket, TFTP_ERROR } from '../../tftp/packet.ts'
import { Transfer, type TransferEnd, type TransferInput, type TransferStep } from '../../tftp/transfer.ts'
import type { BlockCache } from './block-cache.ts'
import type { Receiver, Sender } from './inbox.ts'
import { PROCESS_CLOCK, type TransferClock } from './transfer-clock.ts'

/** Where a client is: all that tells one transfer from another. */
export interface Peer {
  readonly address: Ipv4
  readonly port: number
}

/** One transfer to carry out. */
export interface TransferOrder {
  readonly to: Peer
  readonly fileBytes: Uint8Array
  readonly terms: TransferTerms
}

/** How a transfer went. */
export interface TransferResult {
  readonly end: TransferEnd
  /** Bytes that the client confirmed. */
  readonly bytes: number
  /** Packets that were sent more than once. */
  readonly resends: number
  readonly durationMs: number
}

/** What a session sends through: a socket of its own, or the listener's in single-port mode. */
export interface Wire {
  send(bytes: Uint8Array, to: Peer): void
  close(): void
}

/** The life of one transfer: the state machine between a wire and a timer. */
export class Session implements Receiver {
  readonly #order: TransferOrder
  readonly #wire: Wire
  readonly #blocks: BlockCache
  readonly #onEnd: (result: TransferResult) => void
  readonly #transfer: Transfer
  readonly #clock: TransferClock
  readonly #startedAtMs: number
  #callTimerOff: (() => void) | undefined
  #timerDueMs = 0
  #isOver = false

  constructor(
    order: TransferOrder,
    wire: Wire,
    blocks: BlockCache,
    onEnd: (result: TransferResult) => void,
    clock: TransferClock = PROCESS_CLOCK,
  ) {
    this.#order = order
    this.#clock = clock
    this.#startedAtMs = clock.nowMs()
    this.#wire = wire
    this.#blocks = blocks
    this.#onEnd = onEnd
    this.#transfer = new Transfer(order.terms, order.fileBytes.length, this.#startedAtMs)
  }

  start(): void {
    if (!this.#isOver) this.#carryOut(this.#transfer.start(this.#clock.nowMs()))
  }

  askAgain(): void {
    this.#take({ kind: 'asked-again' })
  }

  /** Ends it without a word: to a client that begins another transfer an ERROR would look like that one's answer. */
  drop(message: string): void {
    const isProbe = !this.#transfer.isUnderWay
    this.#finish(isProbe ? { kind: 'probe' } : { kind: 'aborted', code: TFTP_ERROR.undefined, message })
  }

  /** Ends it and tells the client. */
  abort(message: string): void {
    if (this.#isOver) return
    this.#wire.send(errorPacket(TFTP_ERROR.undefined, message), this.#order.to)
    this.fail(message)
  }

  /** The wire broke. */
  fail(message: string): void {
    this.#finish({ kind: 'aborted', code: TFTP_ERROR.undefined, message })
  }

  /** A datagram for this session, from whomever. */
  receive(bytes: Uint8Array, from: Sender): void {
    // It may have come together with what ended the transfer; the socket is closed then.
    if (this.#isOver) return
    const { to } = this.#order
    const isStranger = from.port !== to.port || from.address !== to.address
    if (!isStranger && bytes.length === 4 && bytes[0] === 0 && bytes[1] === 4) {
      // The one packet that comes a hundred thousand times a second.
      return this.#take({ kind: 'ack', block: ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0) })
    }
    const packet = parsePacket(bytes)
    if (isStranger) {
      // RFC 1350 §4: a stranger hears that this is no transfer of its own, and the transfer goes on.
      if (packet !== undefined && packet.kind !== 'error' && from.port !== 0) {
        this.#wire.send(errorPacket(TFTP_ERROR.unknownTransfer, 'unknown transfer'), from as Peer)
      }
      return
    }
    if (packet?.kind === 'ack' || packet?.kind === 'error') this.#take(packet)
  }

  #take(input: TransferInput): void {
    if (!this.#isOver) this.#carryOut(this.#transfer.take(input, this.#clock.nowMs()))
  }

  #carryOut(step: TransferStep): void {
    const { to, terms, fileBytes } = this.#order
    switch (step.kind) {
      case 'send-oack':
        this.#wire.send(oackPacket(terms.accepted), to)
        break
      case 'send-blocks':
        for (let block = step.first; block <= step.last; block += 1) {
          this.#wire.send(this.#blocks.packet(fileBytes, terms.blockBytes, block), to)
        }
        break
      case 'wait':
        break
      case 'ended':
        return this.#finish(step.end)
    }
    this.#armTimer()
  }

  /** One timer a session, moved when it fires, or when it would come too late after a silence: an ACK costs no timer. */
  #armTimer(): void {
    const { deadlineMs } = this.#transfer
    if (this.#callTimerOff !== undefined) {
      if (this.#timerDueMs <= deadlineMs) return
      this.#callTimerOff()
    }
    this.#timerDueMs = deadlineMs
    const waitMs = Math.max(deadlineMs - this.#clock.nowMs(), 1)
    this.#callTimerOff = this.#clock.after(waitMs, () => {
      this.#callTimerOff = undefined
      this.#take({ kind: 'tick' })
    })
  }

  #finish(end: TransferEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#callTimerOff?.()
    this.#wire.close()
    const { fileBytes, terms } = this.#order
    const isWhole = end.kind === 'sent' || end.kind === 'sent-unconfirmed'
    this.#onEnd({
      end,
      bytes: isWhole ? fileBytes.length : Math.min(this.#transfer.acked * terms.blockBytes, fileBytes.length),
      resends: this.#transfer.resends,
      durationMs: this.#clock.nowMs() - this.#startedAtMs,
    })
  }
}
