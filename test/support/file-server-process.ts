import Fastify from 'fastify'
import { FileDelivery } from '../../src/servers/http/file-delivery.ts'
import { sendFile } from '../../src/servers/http/send-file.ts'

/**
 * One file over HTTP as a program of its own, so that a test can kill it in mid-transfer.
 * Arguments: path, bytes, sha256, address, port.
 */
const [file = '', bytes = '', sha256 = '', host = '', port = ''] = process.argv.slice(2)
const delivery = new FileDelivery()
const server = Fastify()
server.get('/file', (request, reply) =>
  sendFile(delivery, request, reply, {
    body: { path: file },
    bytes: Number(bytes),
    sha256,
    contentType: 'application/octet-stream',
  }),
)
await server.listen({ host, port: Number(port) })
process.stdout.write('listening\n')
