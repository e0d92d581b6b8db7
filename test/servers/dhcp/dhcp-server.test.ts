import { spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { decode } from '../../../src/dhcp/decode.ts'
import type { DhcpPacket } from '../../../src/dhcp/packet.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { DhcpServer, type DhcpServerOptions } from '../../../src/servers/dhcp/dhcp-server.ts'
import { FLOOD_LIMITS, FloodGuard } from '../../../src/servers/dhcp/flood-guard.ts'
import type { DhcpLog } from '../../../src/servers/dhcp/log-answer.ts'
import { PacketRecorder } from '../../../src/servers/dhcp/packet-recorder.ts'
import { DhcpWorld, ip, settingsOf } from '../../support/dhcp-builders.ts'
import { vector } from '../../support/dhcp-vectors.ts'

const SERVER = ip('127.0.0.1')

interface Line {
  readonly level: keyof DhcpLog
  readonly facts: Record<string, unknown>
  readonly sentence: string
}

function logInto(lines: Line[]): DhcpLog {
  const at = (level: keyof DhcpLog) => (facts: object, sentence: string) => {
    lines.push({ level, facts: { ...facts }, sentence })
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

async function udp(address: string, port = 0): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.bind(port, address)
  await once(socket, 'listening')
  socket.setBroadcast(true)
  return socket
}

async function nextReply(socket: Socket): Promise<{ packet: DhcpPacket; port: number }> {
  const [bytes, remote] = (await once(socket, 'message')) as [Buffer, { port: number }]
  const decoded = decode(bytes, 'reply')
  if (!decoded.ok) throw new Error(decoded.reason)
  return { packet: decoded.packet, port: remote.port }
}

/** A server on loopback over the in-memory world, and a client's two sockets: its own and the broadcast one. */
async function setUp(t: Test, options: Partial<DhcpServerOptions> = {}) {
  const world = new DhcpWorld()
  const lines: Line[] = []
  const everybody = await udp('127.255.255.255')
  const clientPort = everybody.address().port
  const client = await udp('127.0.0.1', clientPort)
  const server = new DhcpServer({
    address: SERVER,
    answer: async (request) => world.handle(request),
    log: logInto(lines),
    port: 0,
    proxyPort: 0,
    clientPort,
    ...options,
  })
  await server.start()
  t.teardown(async () => {
    await server.stop()
    client.close()
    everybody.close()
  })
  const ports = server.ports!
  const broadcast = (bytes: Uint8Array) => client.send(bytes, ports.server, '127.255.255.255')
  return { world, server, ports, client, everybody, lines, broadcast }
}

t.test('a broadcast DISCOVER is answered by broadcast, from the server’s own port', async (t) => {
  const { ports, everybody, broadcast } = await setUp(t)
  broadcast(vector('V1'))
  const { packet, port } = await nextReply(everybody)
  t.equal(packet.messageType, 'offer')
  t.equal(packet.yiaddr, '192.0.2.50')
  t.equal(port, ports.server)
})

t.test('a request to 4011 is answered from 4011 to the port that asked', async (t) => {
  const { ports, client } = await setUp(t)
  client.send(vector('V4'), ports.proxy, SERVER)
  const { packet, port } = await nextReply(client)
  t.equal(packet.messageType, 'ack')
  t.equal(port, ports.proxy)
})

t.test('a relay gets its answer at giaddr and the server port; by RFC 8357 at its own port', async (t) => {
  const { ports, client } = await setUp(t)
  const relay = await udp('127.0.0.9', ports.server)
  const odd = await udp('127.0.0.9')
  t.teardown(() => {
    relay.close()
    odd.close()
  })
  const relayed = Uint8Array.from(vector('V10'))
  relayed.set([127, 0, 0, 9], 24)
  client.send(relayed, ports.server, SERVER)
  t.equal((await nextReply(relay)).packet.yiaddr, '203.0.113.60')

  const end = relayed.lastIndexOf(255)
  const withSourcePort = Uint8Array.from([...relayed.subarray(0, end), 19, 0, 255])
  withSourcePort[withSourcePort.lastIndexOf(82) + 1] = 0x1f
  odd.send(withSourcePort, ports.server, SERVER)
  t.equal((await nextReply(odd)).packet.yiaddr, '203.0.113.60')
})

t.test('no reply leaves before the answer is settled', async (t) => {
  const world = new DhcpWorld()
  let commit = () => {}
  const committed = new Promise<void>((resolve) => {
    commit = resolve
  })
  const asked = Promise.withResolvers<void>()
  const { everybody, broadcast, server } = await setUp(t, {
    answer: async (request) => {
      asked.resolve()
      await committed
      return world.handle(request)
    },
  })
  let replies = 0
  everybody.on('message', () => {
    replies += 1
  })
  broadcast(vector('V2'))
  await asked.promise
  await new Promise(setImmediate)
  t.equal(replies, 0)
  t.equal(server.counters.get('sent:ack'), undefined)
  const reply = nextReply(everybody)
  commit()
  t.equal((await reply).packet.messageType, 'ack')
})

t.test('garbage is dropped and counted by reason; the server goes on', async (t) => {
  const { everybody, broadcast, server, lines } = await setUp(t)
  for (const name of ['B1', 'B2', 'B3', 'B4', 'B5', 'B11']) broadcast(vector(name))
  broadcast(new Uint8Array(0))
  broadcast(vector('V1'))
  await nextReply(everybody)
  const counted = Object.fromEntries(server.counters)
  t.match(counted, {
    received: 8,
    'dropped:option-overrun': 1,
    'dropped:bad-hardware-address': 1,
    'dropped:too-short': 2,
    'dropped:bad-cookie': 1,
    'dropped:wrong-op': 1,
    'dropped:bad-message-type': 1,
    'sent:offer': 1,
  })
  t.equal(lines.filter((line) => line.level === 'debug').length, 7)
})

t.test('a failing answer sends nothing, is logged, and stops nothing', async (t) => {
  let calls = 0
  const world = new DhcpWorld()
  const { everybody, broadcast, server, lines } = await setUp(t, {
    answer: async (request) => {
      calls += 1
      if (calls === 1) throw new Error('the disk is full')
      return world.handle(request)
    },
  })
  broadcast(vector('V1'))
  broadcast(vector('V1'))
  await nextReply(everybody)
  t.equal(server.counters.get('failed'), 1)
  t.equal(server.counters.get('sent:offer'), 1)
  t.match(
    lines.find((line) => line.level === 'error'),
    { facts: { mac: '02:00:00:00:00:01', err: { message: 'the disk is full' } } },
  )
})

t.test('one line a decision, with machine-supplied text escaped', async (t) => {
  const { everybody, broadcast, lines, world, server } = await setUp(t)
  broadcast(vector('B9'))
  await nextReply(everybody)
  await new Promise(setImmediate)
  const line = lines.find((one) => one.sentence === 'DHCP message answered')
  t.match(line, {
    level: 'info',
    facts: { message: 'discover', mac: '02:00:00:00:00:03', xid: 'bad00009', reason: 'offered-from-pool' },
  })
  t.equal(line?.facts.vendorClass, ['PXEClient$', '{net0/ip}\\x0a#!ipxe'].join(''))
  world.settings = settingsOf({ mode: 'off' })
  broadcast(vector('V1'))
  while (server.counters.get('silent:dhcp-off') === undefined) await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.match(lines.at(-1), { sentence: 'DHCP message left unanswered', facts: { reason: 'dhcp-off' } })
})

t.test('a reply that cannot be sent is a warning, not a crash', async (t) => {
  const world = new DhcpWorld()
  const { broadcast, server, lines } = await setUp(t, {
    answer: async (request) => {
      const { reply, reason } = world.handle(request)
      // More than a datagram holds.
      return { reply: { ...reply!, bytes: new Uint8Array(70_000) }, reason }
    },
  })
  broadcast(vector('V1'))
  while (server.counters.get('send-failed') === undefined) await new Promise(setImmediate)
  t.equal(server.counters.get('send-failed'), 1)
  t.ok(lines.some((line) => line.level === 'warn' && line.sentence === 'DHCP reply not sent'))
})

t.test('a server on loopback sends nothing to addresses elsewhere', async (t) => {
  const { client, ports, server } = await setUp(t)
  client.send(vector('V11'), ports.server, SERVER)
  while (server.counters.get('not-sent:loopback') === undefined) await new Promise(setImmediate)
  t.equal(server.counters.get('sent:ack'), undefined)
})

t.test('stop waits for answers on their way, and frees the ports', async (t) => {
  const world = new DhcpWorld()
  const gate = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const { everybody, broadcast, server, ports } = await setUp(t, {
    answer: async (request) => {
      asked.resolve()
      await gate.promise
      return world.handle(request)
    },
  })
  broadcast(vector('V1'))
  await asked.promise
  const stopped = server.stop()
  const reply = nextReply(everybody)
  gate.resolve()
  t.equal((await reply).packet.messageType, 'offer')
  await stopped
  t.equal(server.ports, undefined)
  const again = await udp('127.0.0.1', ports.server)
  again.close()
  await server.stop()
})

t.test(
  'the receive buffer is asked for and read back; a capped one is a warning with its cure',
  async (t) => {
    const { server } = await setUp(t, { receiveBufferBytes: 64 * 1024 })
    t.equal(server.receiveBufferBytes, 64 * 1024)
    const { server: greedy, lines } = await setUp(t, { receiveBufferBytes: 1024 ** 3 })
    t.ok(greedy.receiveBufferBytes < 1024 ** 3)
    t.match(lines, [{ level: 'warn', facts: { cure: 'sysctl -w net.core.rmem_max=1073741824' } }])
  },
)

t.test('sockets opened by systemd are taken over', async (t) => {
  const unicast = await udp('127.0.0.1')
  const { port } = unicast.address()
  const handed = [unicast, await udp('127.255.255.255', port), await udp('127.0.0.1')]
  const everybody = await udp('127.255.255.255')
  const client = await udp('127.0.0.1')
  const fds = handed.map((one) => (one as unknown as { _handle: { fd: number } })._handle.fd)
  const program = fileURLToPath(new URL('../../support/dhcp-inherited-server.ts', import.meta.url))
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, [program, String(everybody.address().port)], {
    env,
    stdio: ['pipe', 'pipe', 'inherit', ...fds],
  })
  t.teardown(() => {
    child.kill()
    for (const socket of [...handed, everybody, client]) socket.close()
  })
  const [line] = (await once(child.stdout as Readable, 'data')) as [Buffer]
  t.same(JSON.parse(String(line)), { server: port, proxy: handed[2]?.address().port })
  // This process lets go of them, or it would take half of the datagrams.
  for (const socket of handed.splice(0)) socket.close()
  client.setBroadcast(true)
  client.send(vector('V1'), port, '127.255.255.255')
  t.equal((await nextReply(everybody)).packet.messageType, 'offer')
})

t.test('a port that cannot be had is a typed error with its cure', async (t) => {
  const holder = createSocket({ type: 'udp4' })
  holder.bind(0, '127.0.0.1')
  await once(holder, 'listening')
  t.teardown(() => holder.close())
  const options = {
    address: SERVER,
    answer: async () => ({ reply: undefined, reason: '' }),
    log: logInto([]),
  }
  const server = new DhcpServer({ ...options, port: holder.address().port, proxyPort: 0 })
  await t.rejects(server.start(), { code: 'dhcp-port', message: /another program has the port/ })
  const elsewhere = new DhcpServer({ ...options, address: ip('192.0.2.1'), port: 0, proxyPort: 0 })
  await t.rejects(elsewhere.start(), { code: 'dhcp-port', message: /no interface has this address/ })
  await server.stop()
})

t.test('a reply that is to wait is sent after its delay, and others are not held up by it', async (t) => {
  const world = new DhcpWorld()
  const order: string[] = []
  const { everybody, broadcast, server } = await setUp(t, {
    answer: async (request) => {
      const decision = world.handle(request)
      const { reply } = decision
      const isSlow = reply !== undefined && request.packet.xid === 0x9b4e0557
      return isSlow ? { ...decision, reply: { ...reply, delayMs: 50 } } : decision
    },
  })
  const both = new Promise<void>((resolve) => {
    everybody.on('message', (bytes: Buffer) => {
      order.push(bytes.subarray(4, 8).toString('hex'))
      if (order.length === 2) resolve()
    })
  })
  broadcast(vector('V1'))
  broadcast(vector('V3'))
  await both
  t.same(order, ['11110003', '9b4e0557'])
  t.equal(server.counters.get('delayed'), 1)
})

t.test('a server that stops sends nothing any more, and waits for no delayed reply', async (t) => {
  const world = new DhcpWorld()
  const { broadcast, server, everybody } = await setUp(t, {
    answer: async (request) => {
      const decision = world.handle(request)
      return decision.reply === undefined
        ? decision
        : { ...decision, reply: { ...decision.reply, delayMs: 3000 } }
    },
  })
  let replies = 0
  everybody.on('message', () => {
    replies += 1
  })
  broadcast(vector('V1'))
  while (server.counters.get('delayed') === undefined) await new Promise(setImmediate)
  await server.stop()
  t.equal(replies, 0)
  t.equal(server.counters.get('sent:offer'), undefined)
})

t.test(
  'while strangers flood the link, a machine is answered, and every drop is counted by reason',
  async (t) => {
    const told: string[] = []
    const recorder = new PacketRecorder()
    const world = new DhcpWorld()
    const { server, everybody, client, ports } = await setUp(t, {
      answer: async (request) => world.handle(request),
      isKnown: (mac) => mac === '02:00:00:00:00:01',
      guard: new FloodGuard({ ...FLOOD_LIMITS, link: [0, 50] }),
      onFlood: (reason) => told.push(reason),
      recorder,
    })
    const reply = nextReply(everybody)
    for (let index = 0; index < 120; index += 1) {
      const stranger = Uint8Array.from(vector('V8'))
      stranger[33] = index
      stranger[28] = 6
      client.send(stranger, ports.server, '127.255.255.255')
    }
    client.send(vector('V1'), ports.server, '127.255.255.255')
    t.equal((await reply).packet.yiaddr, '192.0.2.50')
    t.match(Object.fromEntries(server.counters), {
      received: 121,
      'dropped:port-flood': 70,
      'silent:unknown-machine': 50,
      'sent:offer': 1,
    })
    t.same(told, ['port-flood'])
    const packets = recorder.packetsOf(['02:00:00:00:00:01' as Mac])
    t.match(packets, [
      { direction: 'received', sourcePort: client.address().port, destinationPort: 67 },
      { direction: 'sent', source: '127.0.0.1', destinationPort: 68 },
    ])
    t.same(packets[0]?.payload, Buffer.from(vector('V1')))
  },
)
