import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { fstatSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { PoolWriter } from '../../../src/servers/http/pool-writer.ts'

const MIB = 1024 * 1024

/** A response whose head is on its way, and the client's end of the connection. */
async function exchange(t: Test): Promise<{ response: ServerResponse; client: Socket }> {
  const server = createServer()
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => client.destroy())
  client.on('error', () => undefined)
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  response.writeHead(200, { 'content-length': 24 * MIB })
  await new Promise<void>((resolve) => response.write('', () => resolve()))
  return { response, client }
}

function slices(): Uint8Array[] {
  return Array.from({ length: 24 }, (_, n) => new Uint8Array(MIB).map((_, at) => (at * 31 + n * 7) >> 3))
}

t.test('every byte arrives in its place, also when the kernel takes only a part of a write', async (t) => {
  const { response, client } = await exchange(t)
  const writer = PoolWriter.of(response)
  if (writer === undefined) throw new Error('a plain connection has a writer')
  const body = slices()
  // Nobody reads at first: the kernel's buffers are far smaller than this.
  client.pause()
  let isDone = false
  const written = new Promise<unknown>((resolve) =>
    writer.write(body, (error) => {
      isDone = true
      resolve(error)
    }),
  )
  while (writer.isWriting) await new Promise((resolve) => setImmediate(resolve))
  t.equal(isDone, false, 'the kernel could not take it whole')
  const got = createHash('sha256')
  let head = true
  let bytes = 0
  client.on('data', (data: Buffer) => {
    const rest = head ? data.subarray(data.indexOf('\r\n\r\n') + 4) : data
    head = false
    bytes += rest.length
    got.update(rest)
  })
  client.resume()
  t.equal((await written) ?? undefined, undefined)
  response.end()
  while (bytes < 24 * MIB) await once(client, 'data')
  const want = createHash('sha256')
  for (const slice of body) want.update(slice)
  t.equal(got.digest('hex'), want.digest('hex'))
})

t.test('a connection that is cut while another thread writes to it is closed only after that', async (t) => {
  const { response, client } = await exchange(t)
  client.resume()
  const writer = PoolWriter.of(response)
  const { socket } = response
  if (writer === undefined || socket === null) throw new Error('a plain connection has a writer')
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
  const order: string[] = []
  socket.once('close', () => order.push('closed'))
  const ended = new Promise<unknown>((resolve) =>
    writer.write(slices(), (error) => {
      order.push('written')
      resolve(error)
    }),
  )
  socket.destroy()
  t.equal(writer.isWriting, true)
  t.equal(
    fstatSync(fd).isSocket(),
    true,
    'the descriptor is still the connection, and nobody else gets its number',
  )
  t.match(await ended, { message: 'the connection was closed' })
  if (!order.includes('closed')) await once(socket, 'close')
  t.equal(order[0], 'written')
  t.equal(PoolWriter.of(response), undefined, 'a closed connection has no writer')
})
