import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { upload } from '../../src/cli/upload.ts'

/** A server that answers, as ours does, before it has read the body; in a thread, since the sender is busy at times. */
const REFUSING = `
const http = require('node:http')
const { parentPort } = require('node:worker_threads')
const problem = { code: 'disk-full', detail: 'no room', cure: 'free space' }
const server = http.createServer((_request, response) => {
  response.writeHead(507, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
})
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
`
const PIECE = new Uint8Array(16 * 1024)
const TURNS = 300

/** A body whose sender has other things to do between its pieces. */
async function* slowBody() {
  for (let index = 0; index < TURNS; index += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    yield PIECE
    yield PIECE
    yield PIECE
  }
}

t.test('a refusal that comes while the body is still on its way is heard', async (t) => {
  const server = new Worker(REFUSING, { eval: true })
  t.teardown(() => server.terminate())
  const [port] = await once(server, 'message')
  const access = { url: `http://127.0.0.1:${port}`, token: 'x' }
  for (let time = 0; time < 20; time += 1) {
    const wish = {
      route: '/images/uploads',
      contentType: 'application/x-tar',
      bytes: TURNS * 3 * PIECE.length,
      body: slowBody(),
      onProgress: () => undefined,
    }
    await t.rejects(upload(wish, access), { exitCode: 1, message: /no room \(disk-full\)\ncure: free space/ })
  }
})
