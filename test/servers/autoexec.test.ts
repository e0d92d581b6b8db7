import dgram from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { exchange } from '../../src/sim/http-exchange.ts'
import { readRequestPacket } from '../../src/tftp/packet.ts'
import { LoopbackServer } from '../support/loopback-server.ts'

// iPXE 2.0 for EFI looks for autoexec.ipxe beside its own file and then in the root, by the protocol that it came by,
// before its first DHCP message; each time that nobody answers costs it up to 30 s.

let server: LoopbackServer

t.before(async () => {
  server = await LoopbackServer.start({ network: 98 })
})
t.teardown(() => server.stop())

for (const name of ['autoexec.ipxe', '/autoexec.ipxe']) {
  t.test(`TFTP: ${name} is answered with "not found", and nothing is waited for`, async (t) => {
    const socket = dgram.createSocket('udp4')
    t.teardown(() => socket.close())
    socket.bind(0, `${server.net}.50`)
    await once(socket, 'listening')
    socket.send(readRequestPacket(name, new Map([['tsize', '0']])), server.ports.tftp, server.address)
    const [bytes] = (await once(socket, 'message')) as [Buffer]
    t.same([...bytes.subarray(0, 4)], [0, 5, 0, 1], 'ERROR 1 (RFC 1350)')
  })
}

for (const route of ['/assets/autoexec.ipxe', '/autoexec.ipxe']) {
  t.test(`HTTP: ${route} is not found, with a length, HEAD and GET`, async (t) => {
    for (const method of ['HEAD', 'GET'] as const) {
      const answer = await exchange({
        method,
        url: `${server.bootUrl}${route}`,
        localAddress: `${server.net}.50`,
      })
      t.equal(answer.status, 404, method)
      t.match(answer.headers, { 'content-length': /^\d+$/ }, method)
    }
  })
}
