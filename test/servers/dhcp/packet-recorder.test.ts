import t from 'tap'
import { ipv4FromNumber } from '../../../src/net/ipv4.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { PacketRecorder } from '../../../src/servers/dhcp/packet-recorder.ts'
import type { RecordedPacket } from '../../../src/servers/dhcp/recorded-packet.ts'
import { ip, mac } from '../../support/dhcp-builders.ts'

const packet = (
  atMs: number,
  bytes = 300,
  direction: RecordedPacket['direction'] = 'received',
): RecordedPacket => ({
  atMs,
  direction,
  source: ip('0.0.0.0'),
  sourcePort: 68,
  destination: ip('255.255.255.255'),
  destinationPort: 67,
  payload: new Uint8Array(bytes),
})
const invented = (index: number) => `02:${ipv4FromNumber(index)}` as Mac

t.test('the last 32 packets of a MAC are kept, both ways, oldest first', async (t) => {
  const recorder = new PacketRecorder()
  for (let at = 1; at <= 40; at += 1)
    recorder.record(mac(1), true, packet(at, 300, at % 2 === 0 ? 'sent' : 'received'))
  const kept = recorder.packetsOf([mac(1)])
  t.same(
    kept.map(({ atMs }) => atMs),
    Array.from({ length: 32 }, (_, index) => index + 9),
  )
  t.same(recorder.packetsOf([mac(2)]), [])
})

t.test('what is kept is a copy, byte for byte, that does not hold on to the datagram', async (t) => {
  const recorder = new PacketRecorder()
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  recorder.record(mac(1), true, { ...packet(1), payload: bytes.subarray(16) })
  const expected = [...bytes.subarray(16)]
  bytes.fill(0)
  const [kept] = recorder.packetsOf([mac(1)])
  t.same([...(kept?.payload ?? [])], expected)
  t.same(kept, { ...packet(1), payload: kept?.payload }, 'with all else that was recorded')
})

t.test('packets of every size come back whole, while others of their MAC give way', async (t) => {
  const recorder = new PacketRecorder()
  const sizes = [0, 1, 355, 356, 357, 712, 713, 1472, 65_507, 300, 65_507, 12]
  for (let round = 0; round < 40; round += 1) {
    for (const [index, size] of sizes.entries()) {
      const payload = Uint8Array.from({ length: size }, (_, at) => (at * 7 + index) % 251)
      recorder.record(mac(index), index % 2 === 0, { ...packet(round, size), payload })
      const kept = recorder.packetsOf([mac(index)])
      t.same(kept.at(-1)?.payload, payload, `${size} bytes`)
      t.ok(kept.length >= Math.min(round + 1, size > 60_000 ? 1 : 4))
    }
  }
  t.ok(recorder.bytes < 14 * 1024 * 1024)
})

t.test('many MACs that come back again and again keep their newest packets', async (t) => {
  const recorder = new PacketRecorder()
  let lost = 0
  for (let at = 0; at < 200_000; at += 1) {
    const from = invented((at * 7919) % 3000)
    recorder.record(from, true, packet(at, 200 + (at % 900)))
    if (recorder.packetsOf([from]).at(-1)?.atMs !== at) lost += 1
  }
  t.equal(lost, 0)
  t.ok(recorder.bytes <= 12 * 1024 * 1024)
})

t.test('the ports of one machine are shown together, in the order of time', async (t) => {
  const recorder = new PacketRecorder()
  recorder.record(mac(1), true, packet(1))
  recorder.record(mac(2), true, packet(2))
  recorder.record(mac(1), true, packet(3))
  t.same(
    recorder.packetsOf([mac(1), mac(2)]).map(({ atMs }) => atMs),
    [1, 2, 3],
  )
})

t.test('a flood of invented MACs neither grows the memory nor drives out a machine’s record', async (t) => {
  const recorder = new PacketRecorder()
  recorder.record(mac(1), true, packet(1))
  for (let index = 0; index < 100_000; index += 1) recorder.record(invented(index), false, packet(index, 500))
  t.ok(recorder.bytes <= 2 * 1024 * 1024 + 500, `${recorder.bytes} bytes`)
  t.equal(recorder.packetsOf([mac(1)]).length, 1)
  t.equal(recorder.packetsOf([invented(99_999)]).length, 1, 'the newest of them are there')
  t.equal(recorder.packetsOf([invented(0)]).length, 0)
})

t.test('very many machines are bounded as well', async (t) => {
  const recorder = new PacketRecorder()
  for (let index = 0; index < 50_000; index += 1) recorder.record(invented(index), true, packet(index, 548))
  t.ok(recorder.bytes <= 12 * 1024 * 1024 + 1000, `${recorder.bytes} bytes`)
})
