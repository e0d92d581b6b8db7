/** One frame of a capture file. */
export interface CapturedFrame {
  /** Counted from 1, as Wireshark does. */
  readonly number: number
  /** When it was captured, ms since 1970. */
  readonly atMs: number
  /** What the frame begins with: 1 Ethernet, 101 and 228 IPv4, 113 and 276 Linux "cooked". */
  readonly linkType: number
  readonly bytes: Uint8Array
}

/** The file is no capture that can be read; the message says what stands where. */
export class CaptureFileError extends Error {
  readonly code = 'capture-malformed'
}

const PCAP_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16
/** More than any link carries, tunnels included: a larger length is a lie or another file. */
const MOST_FRAME_BYTES = 262_144

const MAGIC = {
  microseconds: 0xa1b2c3d4,
  nanoseconds: 0xa1b23c4d,
  sectionHeader: 0x0a0d0d0a,
} as const

/**
 * Reads a capture as tcpdump and Wireshark write it: pcap in both byte orders, with micro- or nanoseconds, or pcapng.
 *
 * @throws CaptureFileError at the first thing that does not fit; frames are not guessed at.
 */
export function readCaptureFile(bytes: Uint8Array): readonly CapturedFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < 4)
    throw new CaptureFileError(`the file has ${bytes.length} bytes, want a pcap or pcapng capture`)
  if (view.getUint32(0) === MAGIC.sectionHeader) return readPcapng(bytes, view)
  for (const isLittle of [false, true]) {
    const magic = view.getUint32(0, isLittle)
    if (magic === MAGIC.microseconds) return readPcap(bytes, view, isLittle, 1_000_000)
    if (magic === MAGIC.nanoseconds) return readPcap(bytes, view, isLittle, 1_000_000_000)
  }
  const got = view.getUint32(0).toString(16).padStart(8, '0')
  throw new CaptureFileError(
    `the file begins with ${got}, want a pcap (a1b2c3d4) or pcapng (0a0d0d0a) capture`,
  )
}

function readPcap(bytes: Uint8Array, view: DataView, isLittle: boolean, unitsPerSecond: number) {
  if (bytes.length < PCAP_HEADER_BYTES) {
    throw new CaptureFileError(`the file header has ${bytes.length} bytes, want ${PCAP_HEADER_BYTES}`)
  }
  // The upper bits tell of a frame check sequence, which we do not read.
  const linkType = view.getUint32(20, isLittle) & 0xffff
  const frames: CapturedFrame[] = []
  let at = PCAP_HEADER_BYTES
  while (at < bytes.length) {
    const number = frames.length + 1
    if (at + RECORD_HEADER_BYTES > bytes.length) throw cutOff(number, RECORD_HEADER_BYTES, bytes.length - at)
    const seconds = view.getUint32(at, isLittle)
    const fraction = view.getUint32(at + 4, isLittle)
    const length = view.getUint32(at + 8, isLittle)
    const start = at + RECORD_HEADER_BYTES
    checkFrame(number, length, bytes.length - start)
    const atMs = seconds * 1000 + Math.floor((fraction * 1000) / unitsPerSecond)
    frames.push({ number, atMs, linkType, bytes: bytes.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

interface PcapngInterface {
  readonly linkType: number
  readonly unitsPerSecond: number
}

const BLOCK = { interfaceDescription: 1, simplePacket: 3, enhancedPacket: 6 } as const
const TIME_RESOLUTION_OPTION = 9

function readPcapng(bytes: Uint8Array, view: DataView): readonly CapturedFrame[] {
  const frames: CapturedFrame[] = []
  let interfaces: PcapngInterface[] = []
  let isLittle = true
  let at = 0
  while (at < bytes.length) {
    const left = bytes.length - at
    if (left < 12) throw new CaptureFileError(`a block at byte ${at} has ${left} bytes, want at least 12`)
    const isSection = view.getUint32(at) === MAGIC.sectionHeader
    if (isSection) {
      isLittle = byteOrderOf(view, at, left)
      interfaces = []
    }
    const type = view.getUint32(at, isLittle)
    const length = view.getUint32(at + 4, isLittle)
    if (length < 12 || length % 4 !== 0 || length > left) {
      throw new CaptureFileError(`a block at byte ${at} says ${length} bytes, the file has ${left} left`)
    }
    const body = new DataView(view.buffer, view.byteOffset + at + 8, length - 12)
    if (type === BLOCK.interfaceDescription) interfaces.push(interfaceOf(body, isLittle))
    else if (type === BLOCK.enhancedPacket)
      frames.push(enhanced(frames.length + 1, body, isLittle, interfaces))
    else if (type === BLOCK.simplePacket) frames.push(simple(frames.length + 1, body, isLittle, interfaces))
    at += length
  }
  return frames
}

function byteOrderOf(view: DataView, at: number, left: number): boolean {
  const magic = left < 12 ? 0 : view.getUint32(at + 8)
  if (magic === 0x1a2b3c4d) return false
  if (magic === 0x4d3c2b1a) return true
  throw new CaptureFileError(`the section at byte ${at} has no byte-order mark 1a2b3c4d`)
}

function interfaceOf(body: DataView, isLittle: boolean): PcapngInterface {
  if (body.byteLength < 8)
    throw new CaptureFileError(`an interface block has ${body.byteLength} bytes, want at least 8`)
  let unitsPerSecond = 1_000_000
  let at = 8
  while (at + 4 <= body.byteLength) {
    const code = body.getUint16(at, isLittle)
    const length = body.getUint16(at + 2, isLittle)
    if (code === TIME_RESOLUTION_OPTION && length === 1 && at + 5 <= body.byteLength) {
      const exponent = body.getUint8(at + 4)
      unitsPerSecond = (exponent & 0x80) === 0 ? 10 ** exponent : 2 ** (exponent & 0x7f)
    }
    at += 4 + length + ((4 - (length % 4)) % 4)
  }
  return { linkType: body.getUint16(0, isLittle), unitsPerSecond }
}

function enhanced(
  number: number,
  body: DataView,
  isLittle: boolean,
  interfaces: readonly PcapngInterface[],
): CapturedFrame {
  if (body.byteLength < 20) throw cutOff(number, 20, body.byteLength)
  const { linkType, unitsPerSecond } = interfaceAt(number, interfaces, body.getUint32(0, isLittle))
  const units = body.getUint32(4, isLittle) * 2 ** 32 + body.getUint32(8, isLittle)
  const length = body.getUint32(12, isLittle)
  checkFrame(number, length, body.byteLength - 20)
  const atMs = Math.floor((units / unitsPerSecond) * 1000)
  return { number, atMs, linkType, bytes: new Uint8Array(body.buffer, body.byteOffset + 20, length) }
}

function simple(
  number: number,
  body: DataView,
  isLittle: boolean,
  interfaces: readonly PcapngInterface[],
): CapturedFrame {
  if (body.byteLength < 4) throw cutOff(number, 4, body.byteLength)
  const { linkType } = interfaceAt(number, interfaces, 0)
  const length = Math.min(body.getUint32(0, isLittle), body.byteLength - 4)
  return { number, atMs: 0, linkType, bytes: new Uint8Array(body.buffer, body.byteOffset + 4, length) }
}

function interfaceAt(number: number, interfaces: readonly PcapngInterface[], index: number): PcapngInterface {
  const found = interfaces[index]
  if (found === undefined)
    throw new CaptureFileError(`frame ${number} names interface ${index}, which no block describes`)
  return found
}

function checkFrame(number: number, length: number, left: number): void {
  if (length > MOST_FRAME_BYTES || length > left) throw cutOff(number, length, left)
}

function cutOff(number: number, wanted: number, left: number): CaptureFileError {
  return new CaptureFileError(
    `frame ${number} wants ${wanted} bytes, the file has ${Math.max(left, 0)} left: it is cut off or damaged`,
  )
}

/** A frame to be written; its bytes begin with the IPv4 header. */
export interface FrameToWrite {
  readonly atMs: number
  readonly bytes: Uint8Array
}

const RAW_IP = 101

/** Writes IPv4 packets as a pcap file that Wireshark and tcpdump read. */
export function writeCaptureFile(frames: readonly FrameToWrite[]): Uint8Array {
  const size = frames.reduce((sum, { bytes }) => sum + RECORD_HEADER_BYTES + bytes.length, PCAP_HEADER_BYTES)
  const file = new Uint8Array(size)
  const view = new DataView(file.buffer)
  view.setUint32(0, MAGIC.microseconds)
  view.setUint16(4, 2)
  view.setUint16(6, 4)
  view.setUint32(16, MOST_FRAME_BYTES)
  view.setUint32(20, RAW_IP)
  let at = PCAP_HEADER_BYTES
  for (const { atMs, bytes } of frames) {
    view.setUint32(at, Math.floor(atMs / 1000))
    view.setUint32(at + 4, Math.floor(atMs % 1000) * 1000)
    view.setUint32(at + 8, bytes.length)
    view.setUint32(at + 12, bytes.length)
    file.set(bytes, at + RECORD_HEADER_BYTES)
    at += RECORD_HEADER_BYTES + bytes.length
  }
  return file
}
