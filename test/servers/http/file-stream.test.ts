import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs, { writeFileSync } from 'node:fs'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { VerifiedFiles } from '../../../src/servers/files/verified-files.ts'
import { CHUNK_BYTES, ChunkCache } from '../../../src/servers/http/chunk-cache.ts'
import { FileStream } from '../../../src/servers/http/file-stream.ts'
import { Turns } from '../../../src/servers/http/turns.ts'

t.test(
  'a reader that hangs up while its chunk is read takes it from nobody who waits for it too',
  async (t) => {
    const bytes = randomBytes(CHUNK_BYTES + 1000)
    const file = path.join(t.testdir(), 'initrd')
    writeFileSync(file, bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const files = new VerifiedFiles()
    t.teardown(() => files.close())
    const cache = new ChunkCache(0)
    const turns = new Turns()
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const streams: FileStream[] = []
    const server = http.createServer((_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.flushHeaders()
      const isFirst = streams.length === 0
      streams.push(
        new FileStream({
          response,
          open: async () => {
            if (isFirst) await gate
            return files.open({ path: file, bytes: bytes.length, sha256 })
          },
          fileBytes: bytes.length,
          sha256,
          body: [{ first: 0, last: bytes.length - 1 }],
          cache,
          turns,
          patience: { windowMs: 60_000, minBytes: 1 },
          onMoving: () => undefined,
        }),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo

    const first = http.get({ port, host: '127.0.0.1', agent: false })
    first.on('error', () => undefined)
    await once(first, 'response')
    const second = fetch(`http://127.0.0.1:${port}/`)
    while (streams.length < 2 || cache.hits === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    first.destroy()
    t.match(await streams[0]?.ended, { isWhole: false })
    open()

    const got = Buffer.from(await (await second).arrayBuffer())
    t.ok(got.equals(bytes), 'the other one gets the whole file')
    t.match(await streams[1]?.ended, { isWhole: true, bytes: bytes.length })
  },
)

t.test('a reader that has all of it hangs up before another thread says so: it was sent whole', async (t) => {
  const bytes = randomBytes(3 * CHUNK_BYTES + 1000)
  const file = path.join(t.testdir(), 'kernel')
  writeFileSync(file, bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const files = new VerifiedFiles()
  t.teardown(() => files.close())
  const { writev } = fs
  t.teardown(() => {
    fs.writev = writev
    syncBuiltinESMExports()
  })
  // The kernel has it at once, and the reader reads it: only word of that comes late.
  fs.writev = ((fd: number, buffers: NodeJS.ArrayBufferView[], done: (...all: unknown[]) => void) =>
    writev(fd, buffers, (...all) => setTimeout(() => done(...all), 50))) as typeof writev
  syncBuiltinESMExports()
  const ended = new Promise<unknown>((resolve) => {
    const server = http.createServer((_request, response) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.flushHeaders()
      const stream = new FileStream({
        response,
        open: () => files.open({ path: file, bytes: bytes.length, sha256 }),
        fileBytes: bytes.length,
        sha256,
        body: [{ first: 0, last: bytes.length - 1 }],
        cache: new ChunkCache(0),
        turns: new Turns(),
        patience: { windowMs: 60_000, minBytes: 1 },
        onMoving: () => undefined,
      })
      resolve(stream.ended)
    })
    t.teardown(() => server.close())
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      const request = http.get({ port, host: '127.0.0.1', agent: false }, (response) => {
        let got = 0
        response.on('data', (chunk: Buffer) => {
          got += chunk.length
          if (got === bytes.length) request.destroy()
        })
      })
      request.on('error', () => undefined)
    })
  })
  t.match(await ended, { isWhole: true, bytes: bytes.length })
})
