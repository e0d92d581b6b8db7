import t from 'tap'
import { CaptureFileError, readCaptureFile, writeCaptureFile } from '../../src/net/capture-file.ts'
import { ipv4PacketOf, udpDatagramOf } from '../../src/net/udp-datagram.ts'
import { ip } from '../support/dhcp-builders.ts'

const DATAGRAM = {
  source: ip('192.0.2.1'),
  sourcePort: 67,
  destination: ip('255.255.255.255'),
  destinationPort: 68,
  payload: Uint8Array.of(1, 2, 3, 4, 5),
}
const FRAME = { atMs: 1_800_000_000_123, bytes: ipv4PacketOf(DATAGRAM) }

t.test('a capture that was written is read back: time, payload, addresses and ports', async (t) => {
  const [first, second, ...more] = readCaptureFile(writeCaptureFile([FRAME, { ...FRAME, atMs: 1 }]))
  t.equal(more.length, 0)
  t.match(first, { number: 1, atMs: FRAME.atMs, linkType: 101 })
  t.match(second, { number: 2, atMs: 1 })
  t.same(udpDatagramOf(first!.linkType, first!.bytes), DATAGRAM)
})

/** The same capture with every number of the pcap headers in little-endian order, and nanoseconds. */
function littleEndianNanoseconds(): Uint8Array {
  const file = writeCaptureFile([FRAME])
  const view = new DataView(file.buffer)
  view.setUint32(0, 0xa1b23c4d, true)
  view.setUint32(20, 101, true)
  view.setUint32(24, 1_800_000_000, true)
  view.setUint32(28, 123_999_999, true)
  view.setUint32(32, FRAME.bytes.length, true)
  return file
}

t.test('the other byte order and nanoseconds are read', async (t) => {
  t.match(readCaptureFile(littleEndianNanoseconds()), [{ number: 1, atMs: FRAME.atMs, linkType: 101 }])
})

function block(type: number, body: readonly number[]): number[] {
  const length = 12 + body.length
  return [...le32(type), ...le32(length), ...body, ...le32(length)]
}

const le32 = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]

function pcapng(frame: Uint8Array, interfaceNo = 0): Uint8Array {
  const padded = [...frame, ...new Array((4 - (frame.length % 4)) % 4).fill(0)]
  const micros = BigInt(FRAME.atMs) * 1000n
  return Uint8Array.from([
    ...block(0x0a0d0d0a, [...le32(0x1a2b3c4d), 1, 0, 0, 0, ...new Array(8).fill(255)]),
    ...block(1, [101, 0, 0, 0, ...le32(0)]),
    ...block(5, new Array(8).fill(0)), // statistics, passed over
    ...block(6, [
      ...le32(interfaceNo),
      ...le32(Number(micros >> 32n)),
      ...le32(Number(micros & 0xffffffffn)),
      ...le32(frame.length),
      ...le32(frame.length),
      ...padded,
    ]),
  ])
}

t.test('pcapng is read', async (t) => {
  const frames = readCaptureFile(pcapng(FRAME.bytes))
  t.match(frames, [{ number: 1, atMs: FRAME.atMs, linkType: 101 }])
  t.same(udpDatagramOf(101, frames[0]!.bytes), DATAGRAM)
})

const hostile: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['an empty file', new Uint8Array(0), /has 0 bytes, want a pcap/],
  ['a text', Uint8Array.from(Buffer.from('#!/bin/sh\n')), /begins with 23212f62/],
  ['a header alone that is cut off', writeCaptureFile([]).subarray(0, 20), /header has 20 bytes, want 24/],
  ['a frame header that is cut off', writeCaptureFile([FRAME]).subarray(0, 30), /frame 1 wants 16 bytes/],
  ['a frame that is cut off', writeCaptureFile([FRAME]).subarray(0, 60), /frame 1 wants 33 bytes.*20 left/],
  ['a frame that says it is huge', withLength(0xffffffff), /frame 1 wants 4294967295 bytes/],
  ['a pcapng block longer than the file', pcapng(FRAME.bytes).subarray(0, 100), /block at byte \d+ says/],
  ['a pcapng block of no length', withZeroBlock(), /says 0 bytes/],
  ['a pcapng frame of an interface that nobody described', pcapng(FRAME.bytes, 7), /names interface 7/],
]

function withLength(length: number): Uint8Array {
  const file = writeCaptureFile([FRAME])
  new DataView(file.buffer).setUint32(32, length)
  return file
}

function withZeroBlock(): Uint8Array {
  const file = pcapng(FRAME.bytes)
  file.fill(0, 32, 36)
  return file
}

for (const [name, bytes, message] of hostile) {
  t.test(`${name} is refused with what stands where`, async (t) => {
    t.throws(() => readCaptureFile(bytes), { code: 'capture-malformed', message })
  })
}

t.test('no capture cut off or changed at any byte throws anything but its own error', async (t) => {
  for (const whole of [writeCaptureFile([FRAME]), pcapng(FRAME.bytes)]) {
    for (let at = 0; at < whole.length; at += 1) {
      for (const bytes of [whole.subarray(0, at), flipped(whole, at)]) {
        try {
          for (const frame of readCaptureFile(bytes)) udpDatagramOf(frame.linkType, frame.bytes)
        } catch (error) {
          if (!(error instanceof CaptureFileError)) throw error
        }
      }
    }
  }
  t.pass('walked through')
})

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(bytes)
  changed[at] = 255 - (changed[at] ?? 0)
  return changed
}

t.test('what is no whole UDP datagram is passed over', async (t) => {
  const { bytes } = FRAME
  const changed = (at: number, value: number) => {
    const copy = Uint8Array.from(bytes)
    copy[at] = value
    return copy
  }
  t.equal(udpDatagramOf(101, changed(0, 0x65)), undefined, 'IPv6')
  t.equal(udpDatagramOf(101, changed(9, 6)), undefined, 'TCP')
  t.equal(udpDatagramOf(101, changed(6, 0x20)), undefined, 'a fragment')
  t.equal(udpDatagramOf(101, changed(25, 200)), undefined, 'a length past the end')
  t.equal(udpDatagramOf(105, bytes), undefined, 'a link that is not read')
  t.equal(udpDatagramOf(101, bytes.subarray(0, 27)), undefined, 'too short')
})

t.test('VLAN tags and Linux cooked headers are read through', async (t) => {
  const { bytes } = FRAME
  const macs = new Array(12).fill(2)
  const tagged = Uint8Array.from([...macs, 0x81, 0, 0, 7, 0x08, 0, ...bytes])
  t.same(udpDatagramOf(1, tagged), DATAGRAM)
  t.same(udpDatagramOf(113, Uint8Array.from([...new Array(14).fill(0), 0x08, 0, ...bytes])), DATAGRAM)
  t.same(udpDatagramOf(276, Uint8Array.from([0x08, 0, ...new Array(18).fill(0), ...bytes])), DATAGRAM)
})
