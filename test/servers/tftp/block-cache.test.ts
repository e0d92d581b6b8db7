import { randomBytes } from 'node:crypto'
import t from 'tap'
import { BlockCache } from '../../../src/servers/tftp/block-cache.ts'
import { NetasciiFiles, netasciiOf } from '../../../src/servers/tftp/netascii-file.ts'
import { parsePacket } from '../../../src/tftp/packet.ts'

t.test('a packet is made once for each file and block size, and shared', async (t) => {
  const cache = new BlockCache(1_000_000)
  const file = randomBytes(5000)
  const first = cache.packet(file, 1432, 2)
  t.equal(cache.packet(file, 1432, 2), first)
  t.not(cache.packet(file, 1468, 2), first)
  t.not(cache.packet(randomBytes(5000), 1432, 2), first, 'another file under whatever name')
  t.strictSame(parsePacket(first), {
    kind: 'data',
    block: 2,
    bytes: new Uint8Array(file.subarray(1432, 2864)),
  })
})

t.test('the number on the wire rolls from 65535 to 0', async (t) => {
  const file = new Uint8Array(512 * 65_537)
  const cache = new BlockCache(0)
  t.match(parsePacket(cache.packet(file, 512, 65_535)), { block: 65_535 })
  t.match(parsePacket(cache.packet(file, 512, 65_536)), { block: 0 })
  t.match(parsePacket(cache.packet(file, 512, 65_537)), { block: 1 })
})

t.test('what is kept has a bound, whatever clients ask for', async (t) => {
  const cache = new BlockCache(100_000)
  const file = randomBytes(50_000)
  for (let blockBytes = 8; blockBytes <= 1468; blockBytes += 20) {
    const blocks = Math.floor(file.length / blockBytes) + 1
    const parts: Uint8Array[] = []
    for (let block = 1; block <= blocks; block += 1) {
      parts.push(cache.packet(file, blockBytes, block).subarray(4))
      if (cache.bytes > 100_000) t.fail(`${cache.bytes} bytes kept`)
    }
    if (!Buffer.concat(parts).equals(file)) t.fail(`another file by blocks of ${blockBytes}`)
  }
})

t.test('netascii: LF becomes CR LF and CR becomes CR NUL, once for all clients', async (t) => {
  const file = { name: 'a', bytes: new Uint8Array(Buffer.from('a\nb\rc\r\n')) }
  t.equal(Buffer.from(netasciiOf(file.bytes)).toString('latin1'), 'a\r\nb\r\0c\r\0\r\n')
  const files = new NetasciiFiles()
  t.equal(files.of(file), files.of(file))
})
