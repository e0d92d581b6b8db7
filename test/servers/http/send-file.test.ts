import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { FileDelivery } from '../../../src/servers/http/file-delivery.ts'
import { sendFile } from '../../../src/servers/http/send-file.ts'

const BODY = new Uint8Array(70_000).map((_, index) => index % 251)
const FILE = {
  body: BODY,
  bytes: BODY.length,
  sha256: createHash('sha256').update(BODY).digest('hex'),
  contentType: 'application/efi',
}

t.test('HEAD says the length of the file, as UEFI HTTP Boot needs it before its GET', async (t) => {
  const server = Fastify()
  const delivery = new FileDelivery()
  t.teardown(() => delivery.close())
  server.get('/file', (request, reply) => sendFile(delivery, request, reply, FILE))
  await server.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/file`

  const head = await fetch(url, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-length'), '70000')
  t.equal(head.headers.get('content-type'), 'application/efi')
  t.equal(head.headers.get('etag'), `"${FILE.sha256}"`)
  t.equal((await head.bytes()).length, 0)

  const part = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=0-99' } })
  t.equal(part.status, 200, 'RFC 9110 §14.2: a Range is for GET alone')
  t.equal(part.headers.get('content-length'), '70000')

  const whole = await fetch(url)
  t.equal(whole.headers.get('content-length'), '70000')
  t.same(await whole.bytes(), BODY)
})

t.test(
  'RFC 9110 §8.8.2.1: Last-Modified is never later than Date, wherever the clock was at the import',
  async (t) => {
    const server = Fastify()
    const delivery = new FileDelivery()
    t.teardown(() => delivery.close())
    const tomorrow = { ...FILE, lastModifiedMs: Date.now() + 86_400_000 }
    server.get('/file', (request, reply) => sendFile(delivery, request, reply, tomorrow))
    await server.listen({ port: 0, host: '127.0.0.1' })
    t.teardown(() => server.close())
    const url = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}/file`

    const { headers } = await fetch(url, { method: 'HEAD' })
    const at = (name: string) => Date.parse(headers.get(name) ?? '')
    t.ok(at('last-modified') <= at('date') + 1000, `${headers.get('last-modified')}, ${headers.get('date')}`)
    const since = { 'if-modified-since': new Date(Date.now() + 5000).toUTCString() }
    t.equal((await fetch(url, { headers: since })).status, 304, 'and conditions go by what was said')
  },
)
