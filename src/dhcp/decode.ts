import { concatBytes } from '../net/bytes.ts'
import { type Ipv4, ipv4FromNumber, UNSPECIFIED } from '../net/ipv4.ts'
import { type DhcpPacket, MESSAGE_TYPES, type MessageType, OPTION } from './packet.ts'

/** Why a datagram is no DHCP message for us; stable words, counted by the server. */
export type DropReason =
  | 'too-short'
  | 'wrong-op'
  | 'bad-hardware-address'
  | 'bad-cookie'
  | 'option-overrun'
  | 'bad-option-length'
  | 'no-message-type'
  | 'bad-message-type'

export type Decoded =
  | { readonly ok: true; readonly packet: DhcpPacket }
  | { readonly ok: false; readonly reason: DropReason }

const SNAME_AT = 44
const FILE_AT = 108
const COOKIE_AT = 236
const OPTIONS_AT = 240
const COOKIE = 0x63825363

const FILE_HOLDS_OPTIONS = 1
const SNAME_HOLDS_OPTIONS = 2

/** Options of one fixed length. A repeat changes the total, so two different values can never be guessed between. */
const FIXED_LENGTHS: readonly (readonly [code: number, bytes: number])[] = [
  [OPTION.requestedAddress, 4],
  [OPTION.leaseSeconds, 4],
  [OPTION.overload, 1],
  [OPTION.serverId, 4],
  [OPTION.maxMessageSize, 2],
]

/**
 * Reads a UDP payload as a DHCPv4 message (RFC 2131 §2, options by RFC 2132 §2, overload by §9.3 there, long options
 * by RFC 3396). Strict where a guess would be dangerous, lenient where clients are known to be sloppy: a missing END,
 * padding anywhere, trailing bytes and short packets are all read.
 *
 * @param want `request` reads what clients send (op 1), `reply` what servers send (op 2).
 */
export function decode(bytes: Uint8Array, want: 'request' | 'reply' = 'request'): Decoded {
  if (bytes.length < OPTIONS_AT) return dropped('too-short')
  // A plain view, whatever subclass came in: values taken out of it are then plain as well.
  const whole = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const op = view.getUint8(0)
  const htype = view.getUint8(1)
  const hlen = view.getUint8(2)
  if (op !== (want === 'request' ? 1 : 2)) return dropped('wrong-op')
  if (hlen > 16 || (htype === 0 && hlen !== 0)) return dropped('bad-hardware-address')
  if (view.getUint32(COOKIE_AT) !== COOKIE) return dropped('bad-cookie')

  const found = new FoundOptions()
  if (!readOptions(whole, OPTIONS_AT, whole.length, found)) return dropped('option-overrun')
  const overload = found.first.get(OPTION.overload)?.[0] ?? 0
  // RFC 3396 §5: the order is options, file, sname.
  const fileIsOptions = (overload & FILE_HOLDS_OPTIONS) !== 0
  const snameIsOptions = (overload & SNAME_HOLDS_OPTIONS) !== 0
  if (fileIsOptions && !readOptions(whole, FILE_AT, COOKIE_AT, found)) return dropped('option-overrun')
  if (snameIsOptions && !readOptions(whole, SNAME_AT, FILE_AT, found)) return dropped('option-overrun')

  const options = found.joined()
  const messageType = messageTypeOf(options.get(OPTION.messageType))
  if (messageType === undefined) {
    return dropped(options.has(OPTION.messageType) ? 'bad-message-type' : 'no-message-type')
  }
  for (const [code, length] of FIXED_LENGTHS) {
    const value = options.get(code)
    if (value !== undefined && value.length !== length) return dropped('bad-option-length')
  }
  options.delete(OPTION.messageType)
  options.delete(OPTION.overload)

  return {
    ok: true,
    packet: {
      op,
      messageType,
      htype,
      hlen,
      hops: view.getUint8(3),
      xid: view.getUint32(4),
      secs: view.getUint16(8),
      flags: view.getUint16(10),
      ciaddr: addressAt(view, 12),
      yiaddr: addressAt(view, 16),
      siaddr: addressAt(view, 20),
      giaddr: addressAt(view, 24),
      chaddr: whole.subarray(28, 44),
      sname: snameIsOptions ? '' : textUpToNul(whole, SNAME_AT, FILE_AT),
      file: fileIsOptions ? '' : textUpToNul(whole, FILE_AT, COOKIE_AT),
      options,
    },
  }
}

function dropped(reason: DropReason): Decoded {
  return { ok: false, reason }
}

/** Collects the options of one area, from `start` up to `end`. False when a length byte points past its end. */
function readOptions(bytes: Uint8Array, start: number, end: number, into: FoundOptions): boolean {
  let at = start
  while (at < end) {
    const code = bytes[at]
    at += 1
    if (code === undefined || code === OPTION.end) return true
    if (code === 0) continue
    const length = at < end ? bytes[at] : undefined
    if (length === undefined || at + 1 + length > end) return false
    into.add(code, bytes.subarray(at + 1, at + 1 + length))
    at += 1 + length
  }
  return true
}

/** The values by code, and the further ones of a code that comes several times. */
class FoundOptions {
  readonly first = new Map<number, Uint8Array>()
  #further: Map<number, Uint8Array[]> | undefined

  add(code: number, value: Uint8Array): void {
    if (!this.first.has(code)) {
      this.first.set(code, value)
      return
    }
    this.#further ??= new Map()
    const further = this.#further.get(code)
    if (further === undefined) this.#further.set(code, [value])
    else further.push(value)
  }

  /** Joins once at the end: joining at every repeat would let a packet of one-byte repeats cost quadratic time. */
  joined(): Map<number, Uint8Array> {
    const { first } = this
    for (const [code, further] of this.#further ?? [])
      first.set(code, concatBytes([first.get(code) ?? new Uint8Array(), ...further]))
    return first
  }
}

function messageTypeOf(value: Uint8Array | undefined): MessageType | undefined {
  return value?.length === 1 ? MESSAGE_TYPES[(value[0] ?? 0) - 1] : undefined
}

function addressAt(view: DataView, offset: number): Ipv4 {
  const number = view.getUint32(offset)
  return number === 0 ? UNSPECIFIED : ipv4FromNumber(number)
}

function textUpToNul(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0
    if (byte === 0) break
    text += String.fromCharCode(byte)
  }
  return text
}
