import t from 'tap'
import { decode } from '../../src/dhcp/decode.ts'
import { clientMac, OPTION } from '../../src/dhcp/packet.ts'
import { fromHex, toHex } from '../../src/net/bytes.ts'
import { VECTORS, vector } from '../support/dhcp-vectors.ts'

function packetFrom(name: string) {
  const decoded = decode(vector(name))
  if (!decoded.ok) throw new Error(`${name}: ${decoded.reason}`)
  return decoded.packet
}

/** A DISCOVER whose options area is the given hex. */
function withOptions(options: string, file = '', sname = ''): Uint8Array {
  const bytes = new Uint8Array(240)
  bytes.set([1, 1, 6, 0])
  bytes.set([2, 0, 0, 0, 0, 1], 28)
  bytes.set(fromHex(sname)!, 44)
  bytes.set(fromHex(file)!, 108)
  bytes.set([0x63, 0x82, 0x53, 0x63], 236)
  const tail = fromHex(options)!
  const whole = new Uint8Array(240 + tail.length)
  whole.set(bytes)
  whole.set(tail, 240)
  return whole
}

function reasonFor(bytes: Uint8Array, want: 'request' | 'reply' = 'request'): string {
  const decoded = decode(bytes, want)
  return decoded.ok ? 'ok' : decoded.reason
}

t.test('what well-formed clients send is read, with its message type and MAC', async (t) => {
  const expected: Record<string, [string, string]> = {
    V1: ['discover', '02:00:00:00:00:01'],
    V2: ['request', '02:00:00:00:00:01'],
    V3: ['discover', '02:00:00:00:00:02'],
    V4: ['request', '02:00:00:00:00:02'],
    V9: ['request', '02:00:00:00:00:03'],
    V12: ['decline', '02:00:00:00:00:03'],
    V13: ['inform', '02:00:00:00:00:03'],
    V14: ['discover', 'dc:a6:32:00:00:14'],
    B6: ['discover', '02:00:00:00:00:03'],
    B7: ['discover', '02:00:00:00:00:03'],
  }
  for (const [name, [type, mac]] of Object.entries(expected)) {
    const packet = packetFrom(name)
    t.equal(packet.messageType, type, name)
    t.equal(clientMac(packet), mac, name)
  }
})

t.test('header fields are read at their places (RFC 2131 §2)', async (t) => {
  const packet = packetFrom('V10')
  t.match(packet, { op: 1, htype: 1, hlen: 6, hops: 1, xid: 0x11110010, secs: 4, flags: 0x8000 })
  t.equal(packet.giaddr, '198.51.100.2')
  t.equal(packetFrom('V11').ciaddr, '192.0.2.51')
})

t.test('malformed packets are dropped, each for its own reason', async (t) => {
  const expected: Record<string, string> = {
    B1: 'option-overrun',
    B2: 'bad-hardware-address',
    B3: 'too-short',
    B4: 'bad-cookie',
    B5: 'wrong-op',
    B11: 'bad-message-type',
  }
  for (const [name, reason] of Object.entries(expected)) t.equal(reasonFor(vector(name)), reason, name)
  t.equal(reasonFor(withOptions('ff')), 'no-message-type')
  t.equal(reasonFor(withOptions('350100ff')), 'bad-message-type', 'type 0')
  t.equal(reasonFor(withOptions('350109ff')), 'bad-message-type', 'LEASEQUERY and beyond')
  t.equal(reasonFor(withOptions('35020101ff')), 'bad-message-type', 'two bytes')
  t.equal(reasonFor(withOptions('3501013203c00002ff')), 'bad-option-length', 'option 50 of three bytes')
  t.equal(
    reasonFor(withOptions('3501013204c00002013204c0000202ff')),
    'bad-option-length',
    'two addresses wanted (RFC 3396 joins them to eight bytes)',
  )
  t.equal(reasonFor(withOptions('35010137')), 'option-overrun', 'a code without a length')
  const noHardware = withOptions('350101ff')
  noHardware[1] = 0
  t.equal(reasonFor(noHardware), 'bad-hardware-address', 'htype 0 with a length')
})

t.test('sloppy but clear packets are read', async (t) => {
  t.equal(reasonFor(withOptions('00000035010100')), 'ok', 'padding, no END')
  t.equal(reasonFor(withOptions('350101ffdeadbeef')), 'ok', 'trailing bytes after END')
  t.equal(reasonFor(withOptions('350101')), 'ok', 'shorter than 300 bytes')
})

t.test('RFC 3396: a repeated option is one value, in order of options, file, sname', async (t) => {
  const bytes = withOptions('350101 340103 0c026161 0c0162 ff', '0c0163 ff', '0c0164 ff')
  const decoded = decode(bytes)
  if (!decoded.ok) throw new Error(decoded.reason)
  t.equal(toHex(decoded.packet.options.get(OPTION.hostName)!), '6161626364')
  t.equal(decoded.packet.file, '', 'a field that holds options is no file name')
  t.equal(decoded.packet.sname, '')
  t.equal(reasonFor(withOptions('350101 340101 ff', '0cff61')), 'option-overrun', 'overrun inside file')
  const plain = decode(withOptions('350101ff', '61 2e 62 00 63'))
  t.equal(plain.ok && plain.packet.file, 'a.b', 'without overload it is text up to NUL')
})

t.test('a packet cut at any byte is dropped or read, never thrown over', async (t) => {
  for (const { name, bytes } of VECTORS) {
    for (let length = 0; length <= bytes.length; length += 1) {
      const reason = reasonFor(bytes.subarray(0, length))
      if (length < 240 && reason !== 'too-short') t.fail(`${name} cut to ${length} bytes: ${reason}`)
    }
  }
})

t.test('thousands of repeats of one option cost no more than their bytes', async (t) => {
  const many = withOptions(`350101${'0c0161'.repeat(20_000)}ff`)
  const decoded = decode(many)
  t.equal(decoded.ok && decoded.packet.options.get(OPTION.hostName)?.length, 20_000)
})

t.test('a card that cannot be one is no client: zero, multicast and other hardware', async (t) => {
  for (const [htype, first] of [
    [1, 0],
    [1, 3],
    [32, 2],
  ] as const) {
    const bytes = withOptions('350101ff')
    bytes[1] = htype
    bytes.set([first, 0, 0, 0, 0, first === 0 ? 0 : 1], 28)
    const decoded = decode(bytes)
    t.equal(decoded.ok && clientMac(decoded.packet), undefined, `htype ${htype} first byte ${first}`)
  }
})
