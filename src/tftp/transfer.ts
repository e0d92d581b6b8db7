import type { TransferTerms } from './negotiate.ts'

const MAX_RETRANSMITS = 5
const GIVE_UP_AFTER_MS = 120_000
const MAX_TIMEOUT_MS = 16_000

/** What happened to a transfer. */
export type TransferInput =
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  /** The same client asked for the same file again: its first packet was lost. */
  | { readonly kind: 'asked-again' }
  | { readonly kind: 'tick' }

/** What the server is to do next. Blocks are numbered from 1 without rollover; `last` is included. */
export type TransferStep =
  | { readonly kind: 'send-oack' }
  | {
      readonly kind: 'send-blocks'
      readonly first: number
      readonly last: number
      readonly isResend: boolean
    }
  | { readonly kind: 'wait' }
  | { readonly kind: 'ended'; readonly end: TransferEnd }

/**
 * `probe`: the client wanted to know the size only (EDK2 and old ROMs end so before their first ACK). `sent-unconfirmed`:
 * everything went out, and the last ACK never came; some clients never send it.
 */
export type TransferEnd =
  | { readonly kind: 'sent' }
  | { readonly kind: 'sent-unconfirmed' }
  | { readonly kind: 'probe' }
  | { readonly kind: 'aborted'; readonly code: number; readonly message: string }
  | { readonly kind: 'timed-out' }

/**
 * One transfer as a state machine: takes what came and the time, says what to send. Knows no socket and no file, only
 * how many blocks there are (RFC 1350, 2347, 7440).
 */
export class Transfer {
  readonly blocks: number
  readonly #terms: TransferTerms
  /** Last block that the client has, without rollover. */
  #acked = 0
  /** Last block sent. */
  #sent = 0
  #awaitsOackAck: boolean
  #heardFirst = false
  #heardAtMs: number
  #rewoundAt = -1
  #rewoundAtMs = 0
  #retransmits = 0
  #timeoutMs: number
  #deadlineMs = 0
  #progressAtMs: number
  #resends = 0

  constructor(terms: TransferTerms, fileBytes: number, nowMs: number) {
    this.#terms = terms
    // RFC 1350 §6: the last block is shorter than the others, and empty when the size is a multiple.
    this.blocks = Math.floor(fileBytes / terms.blockBytes) + 1
    this.#awaitsOackAck = terms.accepted.size > 0
    this.#timeoutMs = terms.timeoutMs
    this.#progressAtMs = nowMs
    this.#heardAtMs = nowMs
  }

  /** Blocks that were sent more than once, and OACKs. */
  get resends(): number {
    return this.#resends
  }

  /** True once the client answered anything: what ends before that is a probe. */
  get isUnderWay(): boolean {
    return this.#heardFirst
  }

  /** The blocks that the client confirmed. */
  get acked(): number {
    return this.#acked
  }

  /** When the next `tick` is due if nothing comes before. */
  get deadlineMs(): number {
    return this.#deadlineMs
  }

  start(nowMs: number): TransferStep {
    this.#deadlineMs = nowMs + this.#timeoutMs
    return this.#awaitsOackAck ? { kind: 'send-oack' } : this.#sendWindow(nowMs, false)
  }

  take(input: TransferInput, nowMs: number): TransferStep {
    switch (input.kind) {
      case 'ack':
        return this.#takeAck(input.block, nowMs)
      case 'error':
        return { kind: 'ended', end: this.#heardFirst ? { ...input, kind: 'aborted' } : { kind: 'probe' } }
      case 'asked-again':
        return this.#takeRepeatedRequest(nowMs)
      case 'tick':
        return nowMs >= this.#deadlineMs ? this.#timeOut(nowMs) : { kind: 'wait' }
    }
  }

  /**
   * The request again. Before the first ACK our answer was lost; soon after one it is a copy that the network held
   * back; after a silence the client began anew (a ROM with a fixed port that was reset), and so does the transfer.
   */
  #takeRepeatedRequest(nowMs: number): TransferStep {
    if (!this.#heardFirst) return this.#resend(nowMs)
    if (nowMs - this.#heardAtMs < this.#terms.timeoutMs) return { kind: 'wait' }
    this.#acked = 0
    this.#sent = 0
    this.#rewoundAt = -1
    this.#awaitsOackAck = this.#terms.accepted.size > 0
    this.#heardFirst = false
    this.#retransmits = 0
    this.#timeoutMs = this.#terms.timeoutMs
    this.#progressAtMs = nowMs
    return this.start(nowMs)
  }

  #takeAck(wireBlock: number, nowMs: number): TransferStep {
    this.#heardAtMs = nowMs
    const block = this.#widen(wireBlock)
    if (this.#awaitsOackAck) {
      if (block !== 0) return { kind: 'wait' }
      this.#awaitsOackAck = false
      this.#progress(nowMs)
      return this.#sendWindow(nowMs, false)
    }
    if (block > this.#sent || block < this.#acked) return { kind: 'wait' }
    if (block === this.#acked) return this.#takeRepeatedAck(block, nowMs)
    this.#acked = block
    this.#progress(nowMs)
    if (block === this.blocks) return { kind: 'ended', end: { kind: 'sent' } }
    // RFC 7440 §4: an ACK inside the window means that what follows it was lost; send from there.
    const isRewind = block < this.#sent
    if (isRewind) {
      this.#sent = block
      this.#rewoundAt = block
      this.#rewoundAtMs = nowMs
    }
    return this.#sendWindow(nowMs, isRewind)
  }

  /**
   * The last ACK again. With window 1 it is ignored: answering it doubles every packet from then on (the Sorcerer's
   * Apprentice, RFC 1123 §4.2.3.1). In a window it asks for a rewind, once: EDK2 repeats it for every block it missed.
   */
  #takeRepeatedAck(block: number, nowMs: number): TransferStep {
    if (this.#terms.window === 1 || block === this.#sent) return { kind: 'wait' }
    if (this.#rewoundAt === block && nowMs - this.#rewoundAtMs < this.#timeoutMs) return { kind: 'wait' }
    this.#rewoundAt = block
    this.#rewoundAtMs = nowMs
    this.#sent = block
    return this.#sendWindow(nowMs, true)
  }

  #timeOut(nowMs: number): TransferStep {
    const isOver = this.#retransmits >= MAX_RETRANSMITS || nowMs - this.#progressAtMs >= GIVE_UP_AFTER_MS
    if (isOver) {
      const isWhole =
        this.#sent === this.blocks && this.blocks - this.#acked <= this.#terms.window && this.#heardFirst
      return { kind: 'ended', end: { kind: isWhole ? 'sent-unconfirmed' : 'timed-out' } }
    }
    this.#retransmits += 1
    // RFC 2349: a client that asked for a longer time gets it, the first time and every other.
    this.#timeoutMs = Math.min(this.#timeoutMs * 2, Math.max(MAX_TIMEOUT_MS, this.#terms.timeoutMs))
    return this.#resend(nowMs)
  }

  #resend(nowMs: number): TransferStep {
    this.#deadlineMs = nowMs + this.#timeoutMs
    if (this.#awaitsOackAck) {
      this.#resends += 1
      return { kind: 'send-oack' }
    }
    this.#sent = this.#acked
    return this.#sendWindow(nowMs, true)
  }

  #sendWindow(nowMs: number, isResend: boolean): TransferStep {
    const first = this.#sent + 1
    const last = Math.min(this.#acked + this.#terms.window, this.blocks)
    if (first > last) return { kind: 'wait' }
    this.#sent = last
    this.#deadlineMs = nowMs + this.#timeoutMs
    if (isResend) this.#resends += last - first + 1
    return { kind: 'send-blocks', first, last, isResend }
  }

  #progress(nowMs: number): void {
    this.#heardFirst = true
    this.#retransmits = 0
    this.#timeoutMs = this.#terms.timeoutMs
    this.#progressAtMs = nowMs
    this.#deadlineMs = nowMs + this.#timeoutMs
  }

  /** Numbers on the wire have 16 bits and roll from 65535 to 0; the nearest to the last ACK is meant. */
  #widen(wireBlock: number): number {
    const base = this.#acked - (this.#acked & 0xffff)
    const candidates = [base - 0x10000 + wireBlock, base + wireBlock, base + 0x10000 + wireBlock]
    let nearest = base + wireBlock
    for (const candidate of candidates) {
      if (Math.abs(candidate - this.#acked) < Math.abs(nearest - this.#acked)) nearest = candidate
    }
    return nearest
  }
}
