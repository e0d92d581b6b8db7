import type { Socket } from 'node:dgram'
import { type EventEmitter, once } from 'node:events'
import { createRequire } from 'node:module'
import t from 'tap'
import { DhcpServer } from '../../../src/servers/dhcp/dhcp-server.ts'
import { DhcpWorld, ip } from '../../support/dhcp-builders.ts'

/** The parts of the `dhcp` package's client that this test uses. */
interface ForeignClient extends EventEmitter {
  readonly _sock: Socket
  readonly _state: { address: string | null; state: string | null; options: Record<string, unknown> }
  sendDiscover(): void
  close(): void
}

const { createClient } = createRequire(import.meta.url)('dhcp') as {
  createClient(config: { mac: string; features: string[] }): ForeignClient
}

const silentLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

t.test('a DHCP client that others wrote gets its lease from the server', async (t) => {
  const world = new DhcpWorld()
  const client = createClient({ mac: '02-00-00-00-00-03', features: ['router', 'dns', 'broadcast'] })
  client._sock.bind(0, '0.0.0.0')
  await once(client._sock, 'listening')
  client._sock.setBroadcast(true)
  const server = new DhcpServer({
    address: ip('127.0.0.1'),
    answer: async (request) => world.handle(request),
    log: silentLog,
    port: 0,
    proxyPort: 0,
    clientPort: client._sock.address().port,
  })
  await server.start()
  t.teardown(async () => {
    client.close()
    await server.stop()
  })
  // It knows no other port than 67 and no other way than a real link: led to the loopback server instead.
  const send = client._sock.send.bind(client._sock) as (...all: unknown[]) => void
  const loopback = { port: server.ports?.server, address: '127.255.255.255' }
  Object.assign(client._sock, {
    send: (bytes: Uint8Array, from: number, length: number, _port: number, _host: string, done: unknown) =>
      send(bytes, from, length, loopback.port, loopback.address, done),
  })
  // It takes the address for its REQUEST from a state that is set only later; and it names no server, so that its
  // REQUEST is one of INIT-REBOOT.
  client.on('message', (reply: { yiaddr: string }) => {
    client._state.address = reply.yiaddr
  })
  const bound = once(client, 'bound')
  client.sendDiscover()
  await bound

  t.equal(client._state.state, 'BOUND')
  t.equal(client._state.address, '192.0.2.100')
  t.match(client._state.options, {
    netmask: '255.255.255.0',
    router: ['192.0.2.254'],
    dns: ['192.0.2.53'],
    broadcast: '192.0.2.255',
    server: '192.0.2.1',
  })
  t.match(world.leases, [{ mac: '02:00:00:00:00:03', address: '192.0.2.100', state: 'active' }])
  t.match(Object.fromEntries(server.counters), { 'sent:offer': 1, 'sent:ack': 1 })
})
