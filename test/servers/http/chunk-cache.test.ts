import t from 'tap'
import { CHUNK_BYTES, ChunkCache } from '../../../src/servers/http/chunk-cache.ts'

const fill = (byte: number) => async (into: Uint8Array) => {
  into.fill(byte)
}

t.test('of all that ask for a chunk at once, one reads it', async (t) => {
  const cache = new ChunkCache(4 * CHUNK_BYTES)
  let reads = 0
  const read = async (into: Uint8Array) => {
    reads += 1
    await new Promise((resolve) => setImmediate(resolve))
    into.fill(7)
  }
  const chunks = await Promise.all(Array.from({ length: 50 }, () => cache.fetch('a', 100, read)))
  t.equal(reads, 1)
  t.ok(chunks.every(({ bytes }) => bytes.length === 100 && bytes.every((byte) => byte === 7)))
  for (const chunk of chunks) chunk.release()
  t.ok(cache.take('a'), 'and it stays')
})

t.test('what is kept has a bound, and buffers are used again', async (t) => {
  const cache = new ChunkCache(4 * CHUNK_BYTES)
  for (let n = 0; n < 100; n += 1) (await cache.fetch(`${n}`, 10, fill(n))).release()
  t.equal(cache.bytes, 4 * CHUNK_BYTES)
  t.equal(cache.take('95'), undefined, 'the oldest went')
  t.equal(cache.take('99')?.bytes[0], 99)
})

t.test('a chunk that is being sent is never written over', async (t) => {
  const cache = new ChunkCache(2 * CHUNK_BYTES)
  const held = await cache.fetch('held', 10, fill(1))
  for (let n = 0; n < 20; n += 1) (await cache.fetch(`${n}`, 10, fill(200))).release()
  t.ok(held.bytes.every((byte) => byte === 1))
  held.release()
  held.release()
  t.equal(cache.bytes <= 18 * CHUNK_BYTES, true)
})

t.test('without room chunks are shared while they are being sent', async (t) => {
  const cache = new ChunkCache(0)
  const one = await cache.fetch('a', 10, fill(1))
  const two = cache.take('a')
  t.ok(two)
  one.release()
  t.ok(two?.bytes.every((byte) => byte === 1))
  two?.release()
  t.equal(cache.take('a'), undefined)
  for (let n = 0; n < 100; n += 1) (await cache.fetch(`${n}`, 10, fill(n))).release()
  t.equal(cache.bytes, CHUNK_BYTES, 'one buffer, again and again')
})

t.test('a chunk that could not be read is not kept, and each who waits hears of it', async (t) => {
  const cache = new ChunkCache(4 * CHUNK_BYTES)
  const fails = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    throw new Error('EIO')
  }
  const results = await Promise.allSettled([cache.fetch('a', 10, fails), cache.fetch('a', 10, fails)])
  t.strictSame(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  t.equal((await cache.fetch('a', 10, fill(3))).bytes[0], 3)
})
