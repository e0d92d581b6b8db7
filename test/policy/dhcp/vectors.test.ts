import t from 'tap'
import { OPTION } from '../../../src/dhcp/packet.ts'
import { concatBytes, latin1, toHex } from '../../../src/net/bytes.ts'
import type { DhcpDecision } from '../../../src/policy/dhcp/dhcp-case.ts'
import type { Arrival } from '../../../src/policy/dhcp/question.ts'
import {
  arrivalFrom,
  DhcpWorld,
  hexOf,
  ip,
  machineOf,
  replyOf,
  settingsOf,
  vectorRequest,
} from '../../support/dhcp-builders.ts'
import { vector } from '../../support/dhcp-vectors.ts'

const fromPxePort = (address: string): Arrival => arrivalFrom(address, { socket: 'pxe', sourcePort: 4011 })

/** Header facts and options of a reply, as text that a person can compare. */
function shown(decision: DhcpDecision) {
  const packet = replyOf(decision)
  const options: Record<string, string> = {}
  for (const [code, value] of packet.options) options[code] = toHex(value)
  const { address, port, from } = decision.reply!
  return {
    to: `${address}:${port}`,
    from,
    type: packet.messageType,
    flags: packet.flags.toString(16),
    ciaddr: packet.ciaddr,
    yiaddr: packet.yiaddr,
    siaddr: packet.siaddr,
    giaddr: packet.giaddr,
    sname: packet.sname,
    file: packet.file,
    options,
  }
}

const S_HEX = 'c0000201'
const UUID_HEX = '0003000200040005000006000700080009'

/** What "std" stands for in the table of expected replies. */
const STD = {
  54: S_HEX,
  51: '00000e10',
  58: '00000708',
  59: '00000c4e',
  1: 'ffffff00',
  28: 'c00002ff',
  3: 'c00002fe',
  6: 'c0000235',
}
const name = (last: number) => ({ 12: hexOf(`node${last}`) })
const BOOT = { siaddr: '192.0.2.1', sname: '192.0.2.1' }
const NO_BOOT = { siaddr: '0.0.0.0', sname: '', file: '' }
const TO_ALL = { to: '255.255.255.255:68', from: 'dhcp', ciaddr: '0.0.0.0', giaddr: '0.0.0.0' }

t.test('V1: a BIOS ROM gets its reservation and undionly.kpxe, and no option 60, 43, 61', async (t) => {
  t.same(shown(new DhcpWorld().handle(vectorRequest('V1'))), {
    ...TO_ALL,
    ...BOOT,
    type: 'offer',
    flags: '8000',
    yiaddr: '192.0.2.50',
    file: 'undionly.kpxe',
    options: {
      ...STD,
      ...name(1),
      97: UUID_HEX,
      66: hexOf('192.0.2.1\0'),
      67: hexOf('undionly.kpxe\0'),
    },
  })
})

t.test('V1 in proxy mode: boot data without an address, and "use this file"', async (t) => {
  const world = new DhcpWorld()
  world.settings = settingsOf({ mode: 'proxy' })
  t.same(shown(world.handle(vectorRequest('V1'))), {
    ...TO_ALL,
    ...BOOT,
    type: 'offer',
    flags: '8000',
    yiaddr: '0.0.0.0',
    file: 'undionly.kpxe',
    options: { 54: S_HEX, 60: hexOf('PXEClient'), 97: UUID_HEX, 43: '060108ff' },
  })
})

t.test(
  'V2: the REQUEST is acknowledged with the same boot data, and the lease is a durable effect',
  async (t) => {
    const world = new DhcpWorld()
    const offer = world.handle(vectorRequest('V1'))
    const ack = world.handle(vectorRequest('V2'))
    t.same(shown(ack), { ...shown(offer), type: 'ack' })
    t.match(world.leases, [{ mac: '02:00:00:00:00:01', address: '192.0.2.50', state: 'active' }])
    const [offered, acked] = [offer.reply!.bytes, ack.reply!.bytes]
    const differing = [...offered.keys()].filter((at) => offered[at] !== acked[at])
    t.same(differing, [242], 'only option 53 differs')
  },
)

t.test('V2 alone, our offer forgotten in a restart: still acknowledged', async (t) => {
  t.equal(new DhcpWorld().handle(vectorRequest('V2')).reason, 'lease-granted')
})

t.test('V3: UEFI x64 gets snponly.efi', async (t) => {
  t.same(shown(new DhcpWorld().handle(vectorRequest('V3'))), {
    ...TO_ALL,
    ...BOOT,
    type: 'offer',
    flags: '8000',
    yiaddr: '192.0.2.51',
    file: 'snponly.efi',
    options: { ...STD, ...name(2), 97: UUID_HEX, 66: hexOf('192.0.2.1\0'), 67: hexOf('snponly.efi\0') },
  })
})

t.test('V3 in proxy mode: no option 43, so that firmware asks 4011; with it where configured', async (t) => {
  const world = new DhcpWorld()
  world.settings = settingsOf({ mode: 'proxy' })
  const binl = shown(world.handle(vectorRequest('V3')))
  t.same(binl.options, { 54: S_HEX, 60: hexOf('PXEClient'), 97: UUID_HEX })
  t.equal(binl.file, 'snponly.efi')
  world.settings = settingsOf({ mode: 'proxy', proxyUefi: 'direct' })
  t.equal(shown(world.handle(vectorRequest('V3'))).options[43], '060108ff')
})

t.test('V4: the boot-file request to 4011 is answered from 4011, in both modes', async (t) => {
  for (const mode of ['authoritative', 'proxy'] as const) {
    const world = new DhcpWorld()
    world.settings = settingsOf({ mode })
    t.same(shown(world.handle(vectorRequest('V4', fromPxePort('192.0.2.51')))), {
      ...BOOT,
      to: '192.0.2.51:4011',
      from: 'pxe',
      type: 'ack',
      flags: '0',
      ciaddr: '192.0.2.51',
      yiaddr: '0.0.0.0',
      giaddr: '0.0.0.0',
      file: 'snponly.efi',
      options: { 54: S_HEX, 60: hexOf('PXEClient'), 97: UUID_HEX, 67: hexOf('snponly.efi\0') },
    })
  }
})

t.test('a message that names no source port (RFC 768) gets no answer that would go there', async (t) => {
  const world = new DhcpWorld()
  const asked = vectorRequest('V4', arrivalFrom('192.0.2.51', { socket: 'pxe', sourcePort: 0 }))
  t.match(world.handle(asked), { reply: undefined, reason: 'no-reply-address' })
  const relayed = vectorRequest('V10', arrivalFrom('198.51.100.2', { sourcePort: 0 }))
  const relayInfo = relayed.packet.options.get(OPTION.relayAgent) ?? new Uint8Array()
  const wantsSourcePort = concatBytes([relayInfo, Uint8Array.of(19, 0)])
  const options = new Map(relayed.packet.options).set(OPTION.relayAgent, wantsSourcePort)
  const decision = world.handle({ ...relayed, packet: { ...relayed.packet, options } })
  t.equal(shown(decision).to, '198.51.100.2:67', 'a relay hears on 67 all the same')
})

t.test('V5: UEFI HTTP Boot gets a URL in file and 67, and its own option 60 back', async (t) => {
  const url = 'http://192.0.2.1:8080/assets/snponly.efi'
  t.same(shown(new DhcpWorld().handle(vectorRequest('V5'))), {
    ...TO_ALL,
    ...BOOT,
    type: 'offer',
    flags: '8000',
    yiaddr: '192.0.2.51',
    file: url,
    options: { ...STD, ...name(2), 60: hexOf('HTTPClient'), 97: UUID_HEX, 67: hexOf(`${url}\0`) },
  })
})

t.test(
  'V6, V7: iPXE gets its script, bare or framed user class, and is told not to wait for a proxy',
  async (t) => {
    for (const [vectorName, last] of [
      ['V6', 2],
      ['V7', 1],
    ] as const) {
      const url = `http://192.0.2.1:8080/boot/02-00-00-00-00-0${last}.ipxe`
      const { 28: _, ...std } = STD // option 55 of iPXE does not list it
      t.same(shown(new DhcpWorld().handle(vectorRequest(vectorName))), {
        ...TO_ALL,
        ...BOOT,
        type: 'offer',
        flags: '0',
        yiaddr: `192.0.2.5${last - 1}`,
        file: url,
        options: {
          ...std,
          ...name(last),
          97: UUID_HEX,
          66: hexOf('192.0.2.1\0'),
          67: hexOf(`${url}\0`),
          175: 'b00101',
          61: `0102000000000${last}`,
        },
      })
    }
  },
)

t.test('V8: another client id on the same MAC is the same machine, and gets no boot data', async (t) => {
  const world = new DhcpWorld()
  world.handle(vectorRequest('V3'))
  const reply = shown(world.handle(vectorRequest('V8')))
  t.match(reply, { ...NO_BOOT, yiaddr: '192.0.2.51', to: '255.255.255.255:68' })
  t.equal(reply.options[61], 'ff0000000100020000ab110123456789abcdef')
  for (const code of [66, 67, 175]) t.notOk(code in reply.options, `${code}`)
})

t.test('V9: INIT-REBOOT on the wrong network is refused (§4.3.2); unknown or proxy: silence', async (t) => {
  const world = new DhcpWorld()
  t.same(shown(world.handle(vectorRequest('V9'))), {
    ...TO_ALL,
    ...NO_BOOT,
    type: 'nak',
    flags: '0',
    yiaddr: '0.0.0.0',
    options: { 54: S_HEX, 56: hexOf('wrong network') },
  })
  world.machines = []
  t.match(world.handle(vectorRequest('V9')), { reply: undefined, reason: 'unknown-machine' })
  world.settings = settingsOf({ mode: 'proxy' })
  t.match(world.handle(vectorRequest('V9')), { reply: undefined, reason: 'left-to-address-server' })
})

t.test('V10: a relayed client gets an address of the selected link, by way of the relay', async (t) => {
  const arrival = arrivalFrom('198.51.100.2', { sourcePort: 67 })
  const decision = new DhcpWorld().handle(vectorRequest('V10', arrival))
  const relayInfo = '01074769312f302f37020602aabbccddee0504cb0071000b04cb007101'
  t.same(shown(decision), {
    ...BOOT,
    to: '198.51.100.2:67',
    from: 'dhcp',
    type: 'offer',
    flags: '8000',
    ciaddr: '0.0.0.0',
    giaddr: '198.51.100.2',
    yiaddr: '203.0.113.60',
    file: 'snponly-arm64.efi',
    options: {
      54: 'cb007101',
      51: '00000e10',
      58: '00000708',
      59: '00000c4e',
      1: 'ffffff00',
      28: 'cb0071ff',
      3: 'cb0071fe',
      ...name(4),
      97: UUID_HEX,
      66: hexOf('192.0.2.1\0'),
      67: hexOf('snponly-arm64.efi\0'),
      82: relayInfo,
    },
  })
  t.match(toHex(decision.reply!.bytes), new RegExp(`521d${relayInfo}ff(00)*$`), '82 is last')
})

t.test('V11: RENEWING is answered to the client itself, without boot fields', async (t) => {
  const world = new DhcpWorld()
  const arrival = arrivalFrom('192.0.2.51')
  world.handle(vectorRequest('V2'))
  t.match(shown(world.handle(vectorRequest('V11', arrival))), {
    ...NO_BOOT,
    to: '192.0.2.51:68',
    type: 'ack',
    ciaddr: '192.0.2.51',
    yiaddr: '192.0.2.51',
    options: { 61: 'ff0000000100020000ab110123456789abcdef' },
  })
})

t.test('V12: DECLINE puts an address aside only when it was this client’s', async (t) => {
  const world = new DhcpWorld()
  t.match(world.handle(vectorRequest('V12')), { reply: undefined, reason: 'declined-address-not-held' })
  t.same(world.quarantines, [])
  const held = { subnet: '192.0.2.0/24', mac: world.machines[2]!.macs[0]!, address: ip('192.0.2.120') }
  world.offers = [{ ...held, expiresAtMs: world.nowMs + 1 }]
  t.match(world.handle(vectorRequest('V12')), { reply: undefined, reason: 'address-declined' })
  t.match(world.quarantines, [{ address: '192.0.2.120', untilMs: world.nowMs + 600_000 }])
  t.same(world.offers, [])
})

t.test('V13: INFORM is answered with configuration and no lease (§4.3.5)', async (t) => {
  const arrival = arrivalFrom('192.0.2.200', { socket: 'broadcast' })
  const world = new DhcpWorld()
  t.same(shown(world.handle(vectorRequest('V13', arrival))), {
    ...NO_BOOT,
    to: '192.0.2.200:68',
    from: 'dhcp',
    type: 'ack',
    flags: '0',
    ciaddr: '192.0.2.200',
    yiaddr: '0.0.0.0',
    giaddr: '0.0.0.0',
    options: { 54: S_HEX, 1: 'ffffff00', 3: 'c00002fe', 6: 'c0000235' },
  })
  t.same(world.leases, [])
})

t.test('V14: a Raspberry Pi gets its menu and no loader; an unknown one silence', async (t) => {
  const world = new DhcpWorld()
  t.match(world.handle(vectorRequest('V14')), { reply: undefined, reason: 'unknown-machine' })
  world.machines.push(machineOf(9, { macs: ['dc:a6:32:00:00:14' as never] }))
  const reply = shown(world.handle(vectorRequest('V14')))
  t.match(reply, { ...BOOT, to: '255.255.255.255:68', file: '' })
  t.equal(reply.options[43], `0914000011${hexOf('Raspberry Pi Boot')}0a0400${hexOf('PXE')}ff`)
  t.equal(reply.options[60], hexOf('PXEClient'))
  t.equal(reply.options[66], hexOf('192.0.2.1\0'))
})

t.test('V15: a boot item asked of 4011 is confirmed', async (t) => {
  const reply = shown(new DhcpWorld().handle(vectorRequest('V15', fromPxePort('192.0.2.50'))))
  t.match(reply, { to: '192.0.2.50:4011', from: 'pxe', type: 'ack', file: 'undionly.kpxe' })
  t.equal(reply.options[43], '470400000000ff')
})

t.test('B6 to B10: sloppy or lying packets get a lease and nothing that they lied for', async (t) => {
  for (const vectorName of ['B6', 'B7', 'B8', 'B9', 'B10']) {
    const decision = new DhcpWorld().handle(vectorRequest(vectorName))
    const reply = shown(decision)
    t.match(reply, { ...TO_ALL, ...NO_BOOT, type: 'offer', yiaddr: '192.0.2.100' }, vectorName)
    for (const code of [12, 43, 60, 66, 67]) t.notOk(code in reply.options, `${vectorName}: ${code}`)
  }
  const echoed = new DhcpWorld().handle(vectorRequest('B10'))
  t.equal(shown(echoed).options[82], '01074769312f302f37')
  t.notMatch(latin1(new DhcpWorld().handle(vectorRequest('B9')).reply!.bytes), 'level=error')
})

t.test('every reply ends in 255, is at least 300 bytes long, and echoes what it must', async (t) => {
  for (const vectorName of ['V1', 'V2', 'V3', 'V5', 'V6', 'V7', 'V8', 'V9', 'B6', 'B10']) {
    const { bytes } = new DhcpWorld().handle(vectorRequest(vectorName)).reply!
    const request = vector(vectorName)
    t.ok(bytes.length >= 300, vectorName)
    t.ok(
      toHex(bytes)
        .replace(/(00)*$/, '')
        .endsWith('ff'),
      vectorName,
    )
    t.same([...bytes.subarray(4, 8)], [...request.subarray(4, 8)], `${vectorName}: xid`)
    t.same([...bytes.subarray(28, 44)], [...request.subarray(28, 44)], `${vectorName}: chaddr`)
    t.same([...bytes.subarray(1, 4)], [1, 6, 0], `${vectorName}: hops`)
  }
})

t.test('options stand in one order: head, the client’s own, boot data, echoes', async (t) => {
  const codes = (vectorName: string) => [
    ...replyOf(new DhcpWorld().handle(vectorRequest(vectorName))).options.keys(),
  ]
  t.same(codes('V1'), [54, 51, 58, 59, 1, 3, 6, 12, 28, 97, 66, 67])
  t.same(codes('V6'), [54, 51, 58, 59, 1, 3, 6, 12, 97, 66, 67, 175, 61])
})
