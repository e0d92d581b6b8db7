import { spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { encode } from '../../../src/dhcp/encode.ts'
import { addressesValue } from '../../../src/dhcp/options.ts'
import { chaddrOf, packetOf } from '../../../src/dhcp/packet.ts'
import { textBytes } from '../../../src/net/bytes.ts'
import { readCaptureFile } from '../../../src/net/capture-file.ts'
import { udpDatagramOf } from '../../../src/net/udp-datagram.ts'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { readRequestPacket } from '../../../src/tftp/packet.ts'
import { vector } from '../../support/dhcp-vectors.ts'
import { LoopbackServer, type TestMachine } from '../../support/loopback-server.ts'

const START = fileURLToPath(new URL('../../../src/start.js', import.meta.url))

let server: LoopbackServer
let machine: TestMachine

t.before(async () => {
  server = await LoopbackServer.start({ network: 88 })
  machine = await server.addMachine('node01')
  await server.lease(machine, 'uefi')
})
t.teardown(() => server.stop())

/** A client command against the server; this process must go on serving meanwhile. */
async function cli(...args: readonly string[]) {
  const { NODE_OPTIONS: _, ...rest } = process.env
  const env = { ...rest, PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: server.token }
  const child = spawn(process.execPath, [START, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (part) => {
    stdout += part
  })
  child.stderr.on('data', (part) => {
    stderr += part
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

t.test('the last packets of a machine, as a list, as a capture, and back into simulate', async (t) => {
  const { items } = await server.api<{ items: { message: string; direction: string }[] }>(
    'GET',
    '/machines/node01/packets',
  )
  t.same(
    items.map(({ message, direction }) => `${direction} ${message}`),
    ['received discover', 'sent offer', 'received request', 'sent ack'],
  )
  const answer = await exchange({
    method: 'GET',
    url: `${server.apiUrl}/api/v1/machines/node01/packets?format=pcap`,
    headers: { authorization: `Bearer ${server.token}` },
  })
  const frames = readCaptureFile(answer.body)
  t.same(
    frames.map(({ linkType, bytes }) => udpDatagramOf(linkType, bytes)?.payload[0]),
    [1, 2, 1, 2],
  )
  const file = path.join(server.workDir, 'node01.pcap')
  t.match(await cli('machine', 'packets', 'node01', '--pcap', file), { code: 0, stdout: /wrote 4 packets/ })
  t.equal(readCaptureFile(readFileSync(file)).length, 4)
  const replayed = await cli('simulate', '--pcap', file, '--json')
  t.equal(replayed.code, 0)
  const answers = replayed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(answers, [
    { frame: 1, message: 'discover', decision: 'offer', reason: 'offered-reservation' },
    { frame: 3, message: 'request', decision: 'ack' },
  ])
})

t.test(
  'simulate by fields and by hex says what the machine would get, with the ordered reasons',
  async (t) => {
    const shown = await cli('simulate', '--arch', '16', '--mac', machine.mac, '--json')
    t.equal(shown.code, 0)
    t.match(JSON.parse(shown.stdout), {
      message: 'discover',
      mac: machine.mac,
      decision: 'offer',
      reply: { boot: 'http-loader', file: `${server.bootUrl}/assets/snponly.efi`, yiaddr: machine.address },
      steps: [{ rule: 'message' }, { rule: 'subnet' }, { rule: 'mode' }, { rule: 'machine' }],
    })
    const hex = Buffer.from(vector('V1')).toString('hex')
    t.match(await server.api('POST', '/simulate', { hex }), {
      mac: '02:00:00:00:00:01',
      decision: 'silence',
      reason: 'unknown-machine',
      reply: null,
    })
    t.match(await cli('simulate', '--hex', 'zz'), { code: 2, stderr: /pairs of hex digits/ })
    t.match(await cli('simulate', '--mac', 'nonsense'), { code: 1, stderr: /mac holds "nonsense", want/ })
  },
)

t.test(
  'a packet in hex came the way that it says itself, and to the port that the operator names',
  async (t) => {
    const asked = ['--mac', machine.mac, '--arch', '7', '--message', 'request', '--address', machine.address]
    const onServerPort = JSON.parse((await cli('simulate', ...asked, '--json')).stdout)
    const onPxePort = JSON.parse((await cli('simulate', ...asked, '--port', '4011', '--json')).stdout)
    t.match(onServerPort, { decision: 'ack', reply: { from_port: 67 } })
    t.match(onPxePort, {
      decision: 'ack',
      reply: { from_port: 4011, to: `${machine.address}:68`, yiaddr: '0.0.0.0' },
    })

    const renewal = encode(
      packetOf({
        op: 1,
        messageType: 'request',
        xid: 7,
        chaddr: chaddrOf(machine.mac),
        ciaddr: machine.address,
      }),
    )
    const hex = Buffer.from(renewal).toString('hex')
    const renewed = JSON.parse((await cli('simulate', '--hex', hex, '--json')).stdout)
    t.match(renewed, { decision: 'ack', reply: { to: `${machine.address}:68` } })
    t.match(await cli('simulate', '--pcap', 'any.pcap', '--port', '4011'), {
      code: 2,
      stderr: /a capture says/,
    })
    t.match(await cli('simulate', '--hex', hex, '--port', '69'), { code: 2, stderr: /67, 4011/ })
  },
)

t.test('a viewer may simulate, since it changes nothing; garbage is a problem document', async (t) => {
  const headers = { authorization: `Bearer ${server.token}` }
  const post = (body: unknown) =>
    exchange({ method: 'POST', url: `${server.apiUrl}/api/v1/simulate`, headers, body })
  t.equal((await post({ hex: '00' })).status, 200)
  t.equal((await post({ hex: 'zz' })).status, 422)
  t.equal((await post({ mac: machine.mac, interface: 'eth9' })).status, 422)
  t.equal((await post({ mac: machine.mac, options: { 52: '01' } })).status, 422)
  t.equal((await post({ nonsense: 1 })).status, 400)
})

t.test('explain says what DHCP and script would answer, and shows no secret', async (t) => {
  const answer = await server.api<{ sections: { section: string; summary: string }[] }>(
    'GET',
    '/machines/node01/explain',
  )
  t.match(answer.sections[0], {
    section: 'dhcp',
    summary: `DHCP would offer ${machine.address}, snponly.efi`,
  })
  t.match(answer.sections[1], { section: 'script', summary: /^it would boot image/ })
  t.notMatch(JSON.stringify(answer), /token=/)
  t.match(await cli('explain', 'node01'), { code: 0, stdout: /dhcp: DHCP would offer/ })
})

t.test('a machine’s own options: set, sent, refused with what is wrong, taken away', async (t) => {
  const set = await cli('machine', 'edit', 'node01', '--dhcp-option', 'mtu=1400', '224:text=hi', '--json')
  t.equal(set.code, 0)
  t.same(JSON.parse(set.stdout).dhcp_options, { mtu: '1400', 224: { type: 'text', value: 'hi' } })
  const { reply } = await server.api<{ reply: { options: { code: number; value: string }[] } }>(
    'POST',
    '/simulate',
    { mac: machine.mac, architecture: 7 },
  )
  t.equal(reply.options.find(({ code }) => code === 26)?.value, '1400')
  const patch = (words: unknown) => server.api<object>('PATCH', '/machines/node01', { dhcp_options: words })
  await t.rejects(patch({ 13: 7 }), { message: /422.*truncates what it loads/ })
  t.match(await patch(null), { dhcp_options: {} })
})

t.test('the links, and how they are served', async (t) => {
  t.match(await server.api('GET', '/dhcp'), {
    links: [{ address: server.address, sockets: 'own', receive_buffer_bytes: Number }],
    foreign_servers: [],
  })
})

/** Restarts the server with a quirk of the machine that wants small TFTP blocks. */
async function withSmallBlocks(t: Test, mode: 'authoritative' | 'proxy'): Promise<void> {
  const file = path.join(server.workDir, 'pilotlight.yaml')
  const yaml = readFileSync(file, 'utf8')
  const quirks = `quirks: [{ name: small, match: { macs: ['${machine.mac}'] }, reply: { tftp_block_bytes: 1024 } }]`
  writeFileSync(file, yaml.replace('dhcp: { mode: authoritative,', `dhcp: { mode: ${mode}, ${quirks},`))
  await server.restart()
  t.teardown(() => writeFileSync(file, yaml))
}

t.test('a quirk caps the TFTP blocks of firmware, and its iPXE has the usual ones again', async (t) => {
  await withSmallBlocks(t, 'authoritative')
  await server.lease(machine, 'uefi')
  t.match(await oackOf(), /blksize.1024/s)
  await server.lease(machine, 'ipxe-uefi')
  t.match(await oackOf(), /blksize.1432/s)
})

t.test('in proxy mode as well, by the REQUEST that the machine sends to the address server', async (t) => {
  await withSmallBlocks(t, 'proxy')
  const select = async (options: readonly [number, Uint8Array][]) => {
    const received = await receivedCount()
    const packet = packetOf({
      op: 1,
      messageType: 'request',
      xid: 7,
      chaddr: chaddrOf(machine.mac),
      options: new Map([[50, addressesValue([machine.address])], ...options]),
    })
    const socket = dgram.createSocket('udp4')
    socket.send(encode(packet), server.ports.dhcp, server.address)
    while ((await receivedCount()) === received) await new Promise((resolve) => setImmediate(resolve))
    socket.close()
  }
  await select([
    [60, textBytes('PXEClient:Arch:00000:UNDI:002001')],
    [93, Uint8Array.of(0, 0)],
  ])
  t.match(await oackOf(), /blksize.1024/s)
  await select([[77, textBytes('iPXE')]])
  t.match(await oackOf(), /blksize.1432/s)
})

async function receivedCount(): Promise<number> {
  const { dhcp } = await server.api<{ dhcp: Record<string, number> }>('GET', '/counters')
  return dhcp['silent:left-to-address-server'] ?? 0
}

/** A TFTP ERROR 8, as firmware sends it that only wanted to know. */
const ABORT = Uint8Array.of(0, 5, 0, 8, 0)

/** What the server grants to the machine's TFTP request for blocks of 1432 bytes. */
async function oackOf(): Promise<string> {
  const socket = dgram.createSocket('udp4')
  socket.bind(0, machine.address)
  await once(socket, 'listening')
  const options = new Map([['blksize', '1432']])
  socket.send(readRequestPacket('snponly.efi', options), server.ports.tftp, server.address)
  const [bytes, { port, address }] = (await once(socket, 'message')) as [Buffer, dgram.RemoteInfo]
  // Done with it: a transfer that waits for its machine would hold up the next restart.
  socket.send(ABORT, port, address, () => socket.close())
  return bytes.toString('latin1')
}
