import { latin1 } from '../../src/net/bytes.ts'
import { demand } from './fuzzing.ts'
import type { OpenTransfer, SentPacket, TftpFuzzWorld } from './tftp-world.ts'

// What protocol.md §6 wants of each packet, read from the bytes alone: nothing here uses the server's own decoder.

/** A request as the rules read it. */
export type ReadAsked =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly code: number }
  | {
      readonly kind: 'file'
      readonly name: string
      readonly isNetascii: boolean
      readonly options: ReadonlyMap<string, string>
    }

/** Reads what comes to the listening port. */
export function readAsked(bytes: Uint8Array): ReadAsked {
  const opcode = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  if (bytes.length < 4 || (opcode !== 1 && opcode !== 2)) return { kind: 'none' }
  if (opcode === 2) return { kind: 'refused', code: 2 }
  const text = latin1(bytes.subarray(2))
  const read = /^([^\0]{0,255})\0(octet|netascii)\0((?:[^\0]*\0){0,16})$/i.exec(text)
  if (read === null || bytes.length > 512) return { kind: 'refused', code: 4 }
  const [, name = '', mode = '', rest = ''] = read
  const options = new Map<string, string>()
  for (const [, option = '', value = ''] of rest.matchAll(/([^\0]*)\0([^\0]*)\0/g))
    if (!options.has(option.toLowerCase())) options.set(option.toLowerCase(), value)
  return { kind: 'file', name, isNetascii: /netascii/i.test(mode), options }
}

/** A name that is looked up is one that nobody could mean a path out of the list by. */
export function checkLookedUp(name: string): void {
  demand(/^[^\0-\x1f\x7f-\x9f%\\]+$/.test(name), `looked up ${JSON.stringify(name)}`)
  for (const segment of name.split('/'))
    demand(segment !== '' && segment !== '.' && segment !== '..', `looked up ${JSON.stringify(name)}`)
}

/** An ERROR with a code that RFC 1350 or 2347 knows and a short text with its NUL. */
export function errorCodeOf({ bytes }: SentPacket): number {
  demand(bytes[0] === 0 && bytes[1] === 5 && bytes[2] === 0, 'a refusal is no ERROR')
  const text = latin1(bytes.subarray(4))
  demand(/^[\x20-\x7e]{1,120}\0$/.test(text), `an ERROR with the text ${JSON.stringify(text)}`)
  const code = bytes[3] ?? 99
  demand(code <= 8, `ERROR ${code}`)
  return code
}

/** How far one transfer is by what was sent and acknowledged, in blocks without rollover. */
export class TransferRules {
  readonly #transfer: OpenTransfer
  readonly #world: TftpFuzzWorld
  readonly #wanted: Uint8Array
  #acked = 0
  #sent = 0
  #isOackOpen: boolean

  /** @param wanted The bytes that the client must get: as netascii has them, where it asked for that. */
  constructor(world: TftpFuzzWorld, transfer: OpenTransfer, asked: ReadAsked, wanted: Uint8Array) {
    this.#world = world
    this.#transfer = transfer
    this.#wanted = wanted
    this.#isOackOpen = transfer.order.terms.accepted.size > 0
    this.#checkTerms(asked)
  }

  /** The number of the last block that went out, as an ACK would say it. */
  get lastSent(): number {
    return this.#sent
  }

  get lastAcked(): number {
    return this.#acked
  }

  /** An ACK of its client. */
  acknowledged(wire: number): void {
    // The nearest value to the last one, as a 16-bit counter that rolled over.
    const near = this.#acked + ((wire - this.#acked + 0x18000) & 0xffff) - 0x8000
    if (this.#isOackOpen) {
      if (near === 0) this.#isOackOpen = false
      return
    }
    if (near > this.#acked && near <= this.#sent) this.#acked = near
  }

  /** Its client asked for it again: after a silence that begins it anew. */
  askedAgain(sent: readonly SentPacket[]): void {
    const [first] = sent
    if (first === undefined) return
    const isAnew =
      first.bytes[1] === 6 || (first.bytes[1] === 3 && first.bytes[2] === 0 && first.bytes[3] === 1)
    if (!isAnew || this.#acked === 0) return
    this.#acked = 0
    this.#sent = 0
    this.#isOackOpen = this.#transfer.order.terms.accepted.size > 0
  }

  /** Packets that went out for it at once. */
  check(sent: readonly SentPacket[]): void {
    const { to, terms } = this.#transfer.order
    demand(sent.length <= terms.window, `${sent.length} packets at once, the window is ${terms.window}`)
    for (const packet of sent) {
      demand(packet.to.port === to.port && packet.to.address === to.address, 'sent to somebody else')
      if (packet.bytes[1] === 6) this.#checkOack(packet.bytes)
      else this.#checkData(packet.bytes)
    }
  }

  #checkData(bytes: Uint8Array): void {
    demand(bytes[0] === 0 && bytes[1] === 3, `opcode ${bytes[1]} in a transfer`)
    demand(!this.#isOackOpen, 'DATA before the OACK was acknowledged')
    const { blockBytes, window } = this.#transfer.order.terms
    const wire = ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)
    const block = this.#acked + 1 + ((wire - this.#acked - 1) & 0xffff)
    demand(block <= this.#acked + window, `block ${wire} after ${this.#acked}, the window is ${window}`)
    const from = (block - 1) * blockBytes
    demand(from <= this.#wanted.length, `block ${block} is behind the end`)
    const wanted = this.#wanted.subarray(from, from + blockBytes)
    demand(bytes.length - 4 <= blockBytes, `${bytes.length - 4} bytes, the block is ${blockBytes}`)
    const isEqual = Buffer.compare(bytes.subarray(4), wanted) === 0
    demand(isEqual, `block ${block} holds other bytes than the file`)
    this.#sent = Math.max(this.#sent, block)
  }

  #checkOack(bytes: Uint8Array): void {
    demand(this.#isOackOpen, 'an OACK that nobody waits for')
    const text = latin1(bytes.subarray(2))
    const wanted = [...this.#transfer.order.terms.accepted]
      .map(([name, value]) => `${name}\0${value}\0`)
      .join('')
    demand(text === wanted, `OACK ${JSON.stringify(text)}`)
  }

  /** RFC 2347: only what was asked for, and nothing above it. */
  #checkTerms(asked: ReadAsked): void {
    demand(asked.kind === 'file', 'a transfer of what was not asked for')
    const { blockBytes, window, accepted } = this.#transfer.order.terms
    const { limits, mostBlockBytes = limits.maxBlockBytes } = this.#world
    for (const [name, value] of accepted) {
      const wished = asked.options.get(name)
      demand(wished !== undefined, `${name} was not asked for`)
      if (name === 'tsize')
        demand(
          value === String(this.#wanted.length) && !asked.isNetascii && Number(wished) === 0,
          `tsize ${value}`,
        )
      else if (name === 'timeout') demand(value === String(Number(wished)), `timeout ${value}`)
      else demand(Number(value) <= Number(wished), `${name} ${value}, asked for ${wished}`)
    }
    const wishedBytes = Number(accepted.get('blksize') ?? 512)
    demand(blockBytes === wishedBytes && blockBytes >= 8, `blocks of ${blockBytes}`)
    demand(
      !accepted.has('blksize') || blockBytes <= Math.min(limits.maxBlockBytes, mostBlockBytes),
      `blocks of ${blockBytes}`,
    )
    demand(
      window === Number(accepted.get('windowsize') ?? 1) && window >= 1 && window <= 16,
      `window ${window}`,
    )
  }
}
