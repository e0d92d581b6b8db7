import { concatBytes, latin1, textBytes } from '../net/bytes.ts'

/** Opcodes (RFC 1350 §5, RFC 2347). */
const OPCODE = { rrq: 1, wrq: 2, data: 3, ack: 4, error: 5, oack: 6 } as const

/** Error codes (RFC 1350 §5; 8 from RFC 2347). */
export const TFTP_ERROR = {
  undefined: 0,
  fileNotFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionRefused: 8,
} as const

const MAX_REQUEST_BYTES = 512
const MAX_NAME_BYTES = 255
const MAX_OPTIONS = 8

/** A read request with its options as they were sent: names in lower case, the first of two equal ones counts. */
export interface ReadRequest {
  readonly kind: 'rrq'
  /** One character a byte, uncleaned; see `file-name.ts`. */
  readonly fileName: string
  readonly mode: 'octet' | 'netascii'
  readonly options: ReadonlyMap<string, string>
}

export type TftpPacket =
  | ReadRequest
  | { readonly kind: 'wrq' }
  | { readonly kind: 'data'; readonly block: number; readonly bytes: Uint8Array }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'oack'; readonly options: ReadonlyMap<string, string> }
  /** A request that deserves an ERROR 4, with the words for it. */
  | { readonly kind: 'malformed-request'; readonly message: string }

/** Reads a datagram; undefined for what deserves no answer at all. */
export function parsePacket(bytes: Uint8Array): TftpPacket | undefined {
  if (bytes.length < 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (view.getUint16(0)) {
    case OPCODE.rrq:
      return parseRequest(bytes)
    case OPCODE.wrq:
      return { kind: 'wrq' }
    case OPCODE.data:
      return { kind: 'data', block: view.getUint16(2), bytes: bytes.subarray(4) }
    case OPCODE.ack:
      return { kind: 'ack', block: view.getUint16(2) }
    case OPCODE.error:
      return {
        kind: 'error',
        code: view.getUint16(2),
        message: latin1(bytes.subarray(4, 4 + 255)).replace(/\0.*$/s, ''),
      }
    case OPCODE.oack: {
      const strings = splitStrings(bytes.subarray(2))
      return strings === undefined ? undefined : { kind: 'oack', options: pairs(strings) }
    }
    default:
      return undefined
  }
}

function parseRequest(bytes: Uint8Array): TftpPacket {
  if (bytes.length > MAX_REQUEST_BYTES) return malformed(`request has ${bytes.length} bytes, want <= 512`)
  const strings = splitStrings(bytes.subarray(2))
  if (strings === undefined) return malformed('request does not end in NUL')
  const [fileName, modeText, ...rest] = strings
  if (fileName === undefined || modeText === undefined)
    return malformed('request lacks a file name or a mode')
  if (fileName.length > MAX_NAME_BYTES)
    return malformed(`file name has ${fileName.length} bytes, want <= 255`)
  if (rest.length > 2 * MAX_OPTIONS) return malformed(`request has more than ${MAX_OPTIONS} options`)
  const mode = modeText.toLowerCase()
  if (mode !== 'octet' && mode !== 'netascii') return malformed('mode is not octet or netascii')
  return { kind: 'rrq', fileName, mode, options: pairs(rest) }
}

function malformed(message: string): TftpPacket {
  return { kind: 'malformed-request', message }
}

/** NUL-terminated strings; undefined when the last one lacks its NUL. */
function splitStrings(bytes: Uint8Array): string[] | undefined {
  if (bytes.at(-1) !== 0) return undefined
  return latin1(bytes.subarray(0, -1)).split('\0')
}

function pairs(strings: readonly string[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (let index = 0; index + 1 < strings.length; index += 2) {
    const name = (strings[index] ?? '').toLowerCase()
    if (!options.has(name)) options.set(name, strings[index + 1] ?? '')
  }
  return options
}

/** DATA with its header in place: made once per block of a file and sent to every client that asks for that size. */
export function dataPacket(block: number, bytes: Uint8Array): Uint8Array {
  const packet = new Uint8Array(4 + bytes.length)
  packet[1] = OPCODE.data
  packet[2] = (block >>> 8) & 0xff
  packet[3] = block & 0xff
  packet.set(bytes, 4)
  return packet
}

export function ackPacket(block: number): Uint8Array {
  return Uint8Array.of(0, OPCODE.ack, (block >>> 8) & 0xff, block & 0xff)
}

export function errorPacket(code: number, message: string): Uint8Array {
  return concatBytes([
    Uint8Array.of(0, OPCODE.error, code >>> 8, code & 0xff),
    textBytes(message),
    Uint8Array.of(0),
  ])
}

export function oackPacket(options: ReadonlyMap<string, string>): Uint8Array {
  const text = [...options].map(([name, value]) => `${name}\0${value}\0`).join('')
  return concatBytes([Uint8Array.of(0, OPCODE.oack), textBytes(text)])
}

export function readRequestPacket(
  fileName: string,
  options: ReadonlyMap<string, string>,
  mode = 'octet',
): Uint8Array {
  const text = [fileName, mode, ...[...options].flat()].map((word) => `${word}\0`).join('')
  return concatBytes([Uint8Array.of(0, OPCODE.rrq), textBytes(text)])
}
