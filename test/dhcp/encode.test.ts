import fc from 'fast-check'
import t from 'tap'
import { decode } from '../../src/dhcp/decode.ts'
import { encode } from '../../src/dhcp/encode.ts'
import { type DhcpPacket, MESSAGE_TYPES, OPTION, packetOf } from '../../src/dhcp/packet.ts'
import { textBytes, toHex } from '../../src/net/bytes.ts'
import { type Ipv4, ipv4FromNumber } from '../../src/net/ipv4.ts'

const offer = (options: [number, Uint8Array][]): DhcpPacket =>
  packetOf({ op: 2, messageType: 'offer', xid: 1, options: new Map(options) })

function codesOf(bytes: Uint8Array): number[] {
  const codes: number[] = []
  for (let at = 240; bytes[at] !== 255; at += 2 + bytes[at + 1]!) codes.push(bytes[at]!)
  return codes
}

t.test('the header stands byte for byte where RFC 2131 §2 puts it', async (t) => {
  const bytes = encode(
    packetOf({
      op: 2,
      messageType: 'ack',
      xid: 0xdeadbeef,
      hops: 1,
      secs: 0x0102,
      flags: 0x8000,
      ciaddr: '10.0.0.1' as Ipv4,
      yiaddr: '10.0.0.200' as Ipv4,
      siaddr: '192.168.255.3' as Ipv4,
      giaddr: '1.2.3.4' as Ipv4,
      chaddr: Uint8Array.of(2, 0, 0, 0, 0, 9),
      sname: '10.0.0.1',
      file: 'a.efi',
    }),
  )
  t.equal(
    toHex(bytes.subarray(0, 44)),
    `02010601deadbeef010280000a0000010a0000c8c0a8ff0301020304020000000009${'00'.repeat(10)}`,
  )
  t.equal(toHex(bytes.subarray(44, 108)), toHex(textBytes('10.0.0.1')) + '00'.repeat(56))
  t.equal(toHex(bytes.subarray(108, 236)), toHex(textBytes('a.efi')) + '00'.repeat(123))
  t.equal(toHex(bytes.subarray(236, 244)), '63825363350105ff')
  t.equal(bytes.length, 300, 'short messages are padded')
  t.ok(bytes.subarray(244).every((byte) => byte === 0))
})

t.test('53 leads, 82 comes last whatever the order given (RFC 3046 §2.2)', async (t) => {
  const bytes = encode(
    offer([
      [OPTION.relayAgent, Uint8Array.of(1, 1, 7)],
      [OPTION.serverId, Uint8Array.of(10, 0, 0, 1)],
    ]),
  )
  t.same(codesOf(bytes), [53, 54, 82])
})

t.test('66 and 67 of a reply end in NUL, once', async (t) => {
  for (const code of [OPTION.tftpServer, OPTION.bootFile]) {
    t.match(toHex(encode(offer([[code, textBytes('x')]]))), `${toHex(Uint8Array.of(code, 2))}7800ff`)
    t.match(toHex(encode(offer([[code, textBytes('x\0')]]))), `${toHex(Uint8Array.of(code, 2))}7800ff`)
  }
})

t.test('a reply that is too long loses the least needed options, 82 whole and late', async (t) => {
  const filler = (bytes: number) => new Uint8Array(bytes).fill(0x61)
  const packet = offer([
    [OPTION.serverId, filler(4)],
    [OPTION.hostName, filler(60)],
    [OPTION.domainName, filler(60)],
    [OPTION.ntp, filler(60)],
    [OPTION.domainSearch, filler(60)],
    [OPTION.broadcastAddress, filler(4)],
    [OPTION.tftpServer, filler(20)],
    [OPTION.bootFile, filler(40)],
    [OPTION.relayAgent, filler(150)],
  ])
  const full = encode(packet).length
  const dropped = (payloadMax: number) => {
    const kept = codesOf(encode(packet, payloadMax))
    return [119, 42, 15, 12, 28, 66, 82].filter((code) => !kept.includes(code))
  }
  t.same(dropped(full), [])
  t.same(dropped(full - 1), [119])
  t.same(dropped(full - 63), [119, 42])
  t.same(dropped(full - 63 * 2), [119, 42, 15])
  t.same(dropped(full - 63 * 3), [119, 42, 15, 12])
  t.same(dropped(full - 63 * 4), [119, 42, 15, 12, 28])
  t.same(dropped(full - 63 * 4 - 6), [119, 42, 15, 12, 28, 66])
  t.same(dropped(0), [119, 42, 15, 12, 28, 66, 82])
  t.ok(encode(packet, full - 63).length <= full - 63)
})

t.test('values over 255 bytes are split and joined again (RFC 3396)', async (t) => {
  const value = Uint8Array.from({ length: 600 }, (_, index) => index)
  const decoded = decode(encode(offer([[OPTION.domainSearch, value]])), 'reply')
  t.ok(decoded.ok && toHex(decoded.packet.options.get(OPTION.domainSearch)!) === toHex(value))
})

const address = fc.integer({ min: 0, max: 0xffffffff }).map(ipv4FromNumber)
const FIXED = [0, 50, 51, 52, 53, 54, 57, 66, 67, 255]
const anyPacket: fc.Arbitrary<DhcpPacket> = fc.record({
  op: fc.constantFrom(1 as const, 2 as const),
  messageType: fc.constantFrom(...MESSAGE_TYPES),
  htype: fc.integer({ min: 1, max: 255 }),
  hlen: fc.integer({ min: 0, max: 16 }),
  hops: fc.nat(255),
  xid: fc.nat(0xffffffff),
  secs: fc.nat(0xffff),
  flags: fc.nat(0xffff),
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  sname: fc.stringMatching(/^[\x01-\xff]{0,63}$/),
  file: fc.stringMatching(/^[\x01-\xff]{0,127}$/),
  options: fc
    .uniqueArray(
      fc.tuple(
        fc.nat(255).filter((code) => !FIXED.includes(code)),
        fc.uint8Array({ maxLength: 700 }),
      ),
      { selector: ([code]) => code, maxLength: 12 },
    )
    .map((entries) => new Map(entries)),
})

t.test('every packet survives the way out and back, both directions through the one codec', async (t) => {
  fc.assert(
    fc.property(anyPacket, (packet) => {
      const bytes = encode(packet)
      const decoded = decode(bytes, packet.op === 1 ? 'request' : 'reply')
      if (!decoded.ok) return false
      return (
        toHex(encode(decoded.packet)) === toHex(bytes) &&
        decoded.packet.file === packet.file &&
        decoded.packet.giaddr === packet.giaddr &&
        decoded.packet.options.size === packet.options.size
      )
    }),
    { numRuns: 500 },
  )
  t.pass('500 packets')
})
