import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ipv4ToBytes } from '../../../src/net/ipv4.ts'
import type { DhcpReply } from '../../../src/policy/dhcp/dhcp-case.ts'
import {
  arrivalFrom,
  BROADCAST_ARRIVAL,
  DhcpWorld,
  machineOf,
  S,
  settingsOf,
  vectorRequest,
} from '../../support/dhcp-builders.ts'
import { readCaptures } from '../../support/dhcp-captures.ts'

const UNICAST = arrivalFrom('192.0.2.51')
const PXE = arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 4011 })

/** Every reply that the vectors and captures draw, in both modes. */
function allReplies(): { readonly name: string; readonly reply: DhcpReply }[] {
  const asked: [string, ReturnType<typeof vectorRequest>][] = [
    ...['V1', 'V2', 'V3', 'V5', 'V6', 'V7', 'V8', 'V9', 'V10', 'V14', 'B6', 'B7', 'B8', 'B9', 'B10'].map(
      (name): [string, ReturnType<typeof vectorRequest>] => [name, vectorRequest(name, BROADCAST_ARRIVAL)],
    ),
    ['V4', vectorRequest('V4', PXE)],
    ['V15', vectorRequest('V15', PXE)],
    ['V11', vectorRequest('V11', UNICAST)],
    ['V13', vectorRequest('V13', arrivalFrom('192.0.2.200'))],
    ...readCaptures().map(({ name, request }): [string, typeof request] => [name, request]),
  ]
  const replies: { name: string; reply: DhcpReply }[] = []
  for (const mode of ['authoritative', 'proxy'] as const) {
    for (const [name, request] of asked) {
      const world = new DhcpWorld()
      world.settings = settingsOf({
        mode,
        unknownMachines: 'discover',
        otherAddresses: ['10.99.0.1', '10.99.0.2'] as never,
      })
      world.machines.push(machineOf(9, { macs: ['dc:a6:32:00:00:14' as never] }))
      const { reply } = world.handle(request)
      if (reply !== undefined) replies.push({ name: `${name} (${mode})`, reply })
    }
  }
  return replies
}

/** A capture file of IPv4 datagrams without a link layer (linktype 228). */
function pcapOf(replies: readonly DhcpReply[]): Uint8Array {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(65535, 16)
  header.writeUInt32LE(228, 20)
  const frames = replies.map((reply) => {
    const frame = Buffer.alloc(16 + 28 + reply.bytes.length)
    const length = 28 + reply.bytes.length
    frame.writeUInt32LE(length, 8)
    frame.writeUInt32LE(length, 12)
    frame.set([0x45, 0, length >> 8, length & 255, 0, 0, 0, 0, 64, 17, 0, 0], 16)
    frame.set(ipv4ToBytes(S), 28)
    frame.set(ipv4ToBytes(reply.address), 32)
    frame.writeUInt16BE(reply.from === 'pxe' ? 4011 : 67, 36)
    frame.writeUInt16BE(reply.port, 38)
    frame.writeUInt16BE(8 + reply.bytes.length, 40)
    frame.set(reply.bytes, 44)
    return frame
  })
  return Buffer.concat([header, ...frames])
}

const hasTshark = spawnSync('tshark', ['--version']).status === 0

t.test(
  'tshark reads every reply as the DHCP message that it is, without a warning',
  { skip: hasTshark ? false : 'tshark is not installed' },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dhcp-replies-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'replies.pcap')
    const replies = allReplies()
    writeFileSync(file, pcapOf(replies.map(({ reply }) => reply)))
    const fields = [
      '_ws.expert.message',
      '_ws.malformed',
      'dhcp.option.dhcp',
      'dhcp.ip.your',
      'dhcp.option.end',
    ]
    const text = execFileSync(
      'tshark',
      ['-r', file, '-T', 'fields', '-E', 'separator=;', ...fields.flatMap((field) => ['-e', field])],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const lines = text.trimEnd().split('\n')
    t.equal(lines.length, replies.length)
    t.ok(replies.length > 60, `${replies.length} replies`)
    const types = { offer: '2', ack: '5', nak: '6' } as Record<string, string>
    for (const [index, { name, reply }] of replies.entries()) {
      const [warning, malformed, type, yours, end] = lines[index]?.split(';') ?? []
      t.same([warning, malformed], ['', ''], name)
      t.equal(type, types[reply.packet.messageType], name)
      t.equal(yours, reply.packet.yiaddr, name)
      t.equal(end, '255', name)
    }
  },
)
