import { putAddress } from './address-bytes.ts'
import { type DhcpPacket, MESSAGE_TYPES, OPTION } from './packet.ts'

/** The payload that every client must take: 576 less 28 bytes of IP and UDP header (RFC 2131 §2). */
export const SMALLEST_PAYLOAD_MAX = 548

/** Total that short messages are padded to: some ROMs and relays drop less than a BOOTP message (RFC 951). */
const PADDED_BYTES = 300
const OPTIONS_AT = 240

/** What a client cannot do without, or what another rule drops; all other codes are an operator's extras. */
const NEEDED: readonly number[] = [
  OPTION.subnetMask,
  OPTION.router,
  OPTION.dns,
  OPTION.vendorOptions,
  OPTION.leaseSeconds,
  OPTION.messageType,
  OPTION.serverId,
  OPTION.message,
  OPTION.renewalSeconds,
  OPTION.rebindingSeconds,
  OPTION.vendorClass,
  OPTION.bootFile,
  OPTION.ipxe,
  OPTION.configFile,
]

/** What goes first when the client's maximum is too small: comfort before names, names before what boots. */
const DROPPED_FIRST: readonly number[] = [
  OPTION.domainSearch,
  OPTION.ntp,
  OPTION.domainName,
  OPTION.hostName,
  OPTION.broadcastAddress,
  OPTION.tftpServer,
]

const DROPPED_LAST: readonly number[] = [
  // RFC 3046 §2.2: relay information goes whole or not at all, and the reply goes in any case.
  OPTION.relayAgent,
  OPTION.machineUuid,
  OPTION.clientId,
]

/**
 * Writes a message: the header, 53, the options in the order of the map, 82 last (RFC 3046 §2.2), END, and zeros up
 * to 300 bytes. Values over 255 bytes are split (RFC 3396). `sname` and `file` never carry options: iPXE does not read
 * option 52 and would take them for a file name.
 *
 * @param payloadMax largest UDP payload that the other side takes; options are left out, the least needed first, to
 *   stay within it. Undefined: no limit.
 * @param padTo least bytes; zeros follow the end of the options.
 */
export function encode(packet: DhcpPacket, payloadMax?: number, padTo = PADDED_BYTES): Uint8Array {
  const options = withinPayload(optionsInOrder(packet), payloadMax)
  const length = OPTIONS_AT + sizeOf(options) + 1
  const bytes = new Uint8Array(Math.max(length, padTo))
  const view = new DataView(bytes.buffer)
  bytes[0] = packet.op
  bytes[1] = packet.htype
  bytes[2] = packet.hlen
  bytes[3] = packet.hops
  view.setUint32(4, packet.xid)
  view.setUint16(8, packet.secs)
  view.setUint16(10, packet.flags)
  putAddress(bytes, 12, packet.ciaddr)
  putAddress(bytes, 16, packet.yiaddr)
  putAddress(bytes, 20, packet.siaddr)
  putAddress(bytes, 24, packet.giaddr)
  bytes.set(packet.chaddr.subarray(0, 16), 28)
  putText(bytes, 44, 64, packet.sname)
  putText(bytes, 108, 128, packet.file)
  view.setUint32(236, 0x63825363)
  let at = OPTIONS_AT
  for (const [code, value] of options) at = putOption(bytes, at, code, value)
  bytes[at] = OPTION.end
  return bytes
}

type Option = readonly [code: number, value: Uint8Array]

function optionsInOrder(packet: DhcpPacket): Option[] {
  const messageType = Uint8Array.of(MESSAGE_TYPES.indexOf(packet.messageType) + 1)
  const options: Option[] = [[OPTION.messageType, messageType]]
  for (const [code, value] of packet.options) {
    if (code === OPTION.relayAgent) continue
    // EDK2 writes a NUL behind these names, over the next option's code when the value brings none of its own.
    const isName = code === OPTION.tftpServer || code === OPTION.bootFile
    options.push([code, isName && packet.op === 2 ? endedByNul(value) : value])
  }
  const relayAgent = packet.options.get(OPTION.relayAgent)
  if (relayAgent !== undefined) options.push([OPTION.relayAgent, relayAgent])
  return options
}

function withinPayload(options: readonly Option[], payloadMax: number | undefined): readonly Option[] {
  if (payloadMax === undefined) return options
  if (OPTIONS_AT + sizeOf(options) + 1 <= payloadMax) return options
  const known = [...NEEDED, ...DROPPED_FIRST, ...DROPPED_LAST]
  const extras = options.map(([code]) => code).filter((code) => !known.includes(code))
  let kept = options
  for (const code of [...DROPPED_FIRST, ...extras.reverse(), ...DROPPED_LAST]) {
    if (OPTIONS_AT + sizeOf(kept) + 1 <= payloadMax) break
    kept = kept.filter(([one]) => one !== code)
  }
  return kept
}

function sizeOf(options: readonly Option[]): number {
  let bytes = 0
  for (const [, value] of options) bytes += value.length + 2 * Math.max(1, Math.ceil(value.length / 255))
  return bytes
}

function putOption(bytes: Uint8Array, start: number, code: number, value: Uint8Array): number {
  let at = start
  let from = 0
  do {
    const length = Math.min(value.length - from, 255)
    bytes[at] = code
    bytes[at + 1] = length
    // Byte by byte: most values are short, and a view for each would cost more than the copy.
    for (let index = 0; index < length; index += 1) bytes[at + 2 + index] = value[from + index] ?? 0
    at += 2 + length
    from += 255
  } while (from < value.length)
  return at
}

function endedByNul(value: Uint8Array): Uint8Array {
  if (value.at(-1) === 0) return value
  const ended = new Uint8Array(value.length + 1)
  ended.set(value)
  return ended
}

/** Writes at most one byte less than the field, so that a NUL always ends it. */
function putText(bytes: Uint8Array, at: number, fieldBytes: number, text: string): void {
  for (let index = 0; index < text.length && index < fieldBytes - 1; index += 1) {
    bytes[at + index] = text.charCodeAt(index)
  }
}
