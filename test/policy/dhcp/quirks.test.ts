import t from 'tap'
import { parseQuirks } from '../../../src/config/quirks.ts'
import type { Quirk } from '../../../src/model/quirk.ts'
import { SHIPPED_QUIRKS, withOperatorsQuirks } from '../../../src/policy/dhcp/quirk-table.ts'
import {
  clientRequest,
  DhcpWorld,
  hexOf,
  mac,
  machineOf,
  replyOf,
  settingsOf,
  vectorRequest,
} from '../../support/dhcp-builders.ts'

const PXE = { 60: hexOf('PXEClient:Arch:00007:UNDI:003000'), 93: '0007', 55: '0103426143' }
const BIOS = { 60: hexOf('PXEClient:Arch:00000:UNDI:002001'), 93: '0000' }

/** Each shipped entry with a client that it is for, and what is to be seen of it. */
const SHIPPED: Readonly<
  Record<string, { readonly mac: string; readonly delayMs?: number; readonly menu: boolean }>
> = {
  'raspberry-pi-menu': { mac: 'dc:a6:32:00:00:01', menu: true },
  'raspberry-pi-3-instant-offer': { mac: 'b8:27:eb:00:00:01', delayMs: 1000, menu: true },
}

t.test('every shipped entry has a name of its own, a source, a match, and a row here', async (t) => {
  t.same(SHIPPED_QUIRKS.map(({ name }) => name).sort(), Object.keys(SHIPPED).sort())
  for (const { name, source, match } of SHIPPED_QUIRKS) {
    t.match(source, /^https:\/\//, name)
    t.ok(Object.keys(match).length > 0, name)
  }
})

for (const [name, seen] of Object.entries(SHIPPED)) {
  t.test(`${name}: its client gets what it wants, and without the entry does not`, async (t) => {
    const client = mac(0).replace(/.*/, seen.mac) as ReturnType<typeof mac>
    const ask = (quirks: readonly Quirk[]) => {
      const world = new DhcpWorld()
      world.machines = [machineOf(9, { macs: [client] })]
      world.settings = settingsOf({ quirks })
      const request = clientRequest({ messageType: 'discover', last: 9, options: BIOS })
      request.packet.chaddr.set(seen.mac.split(':').map((pair) => Number.parseInt(pair, 16)))
      return world.handle(request)
    }
    const decision = ask(SHIPPED_QUIRKS)
    t.equal(decision.reply?.delayMs, seen.delayMs)
    t.equal(replyOf(decision).options.has(43), seen.menu)
    const without = ask(SHIPPED_QUIRKS.filter((one) => one.name !== name))
    if (seen.delayMs !== undefined) t.equal(without.reply?.delayMs, undefined)
  })
}

const quirk = (match: Quirk['match'], reply: Quirk['reply']): Quirk => ({
  name: 'test',
  source: 'test',
  match,
  reply,
})

function answerWith(
  match: Quirk['match'],
  reply: Quirk['reply'],
  options: Readonly<Record<number, string>> = PXE,
) {
  const world = new DhcpWorld()
  world.settings = settingsOf({
    quirks: [quirk(match, reply)],
    loaders: new Set(['snponly.efi', 'ipxe.efi']),
  })
  const decision = world.handle(clientRequest({ messageType: 'discover', last: 3, options }))
  return { decision, packet: replyOf(decision) }
}

const MATCHES: readonly (readonly [name: string, match: Quirk['match'], does: boolean])[] = [
  ['what option 60 begins with', { vendorClasses: ['PXEClient:Arch:00007'] }, true],
  ['another option 60', { vendorClasses: ['HTTPClient'] }, false],
  ['option 60 inside its value', { vendorClasses: ['Arch:00007'] }, false],
  ['one architecture of several', { architectures: [0, 7] }, true],
  ['another architecture', { architectures: [11] }, false],
  ['the first bytes of the MAC', { macs: ['02:00:00'] }, true],
  ['the whole MAC', { macs: ['02:00:00:00:00:03'] }, true],
  ['another MAC', { macs: ['02:00:00:00:00:04'] }, false],
  ['a UUID of a client that sends none', { uuids: ['00'] }, false],
  ['all of several conditions', { architectures: [7], macs: ['02:00:00'] }, true],
  ['one of several conditions', { architectures: [7], macs: ['52:54:00'] }, false],
]

for (const [name, match, does] of MATCHES) {
  t.test(`${name}: ${does ? 'matches' : 'does not match'}`, async (t) => {
    t.equal(answerWith(match, { delayMs: 5 }).decision.reply?.delayMs, does ? 5 : undefined)
  })
}

t.test('a UUID is matched as an operator reads it, not as the wire has it', async (t) => {
  const world = new DhcpWorld()
  world.settings = settingsOf({ quirks: [quirk({ uuids: ['03000200-0400-0500'] }, { delayMs: 5 })] })
  const { reply } = world.handle(vectorRequest('V3'))
  t.equal(reply?.delayMs, undefined)
  world.settings = settingsOf({ quirks: [quirk({ uuids: ['00020003-0004'] }, { delayMs: 5 })] })
  t.equal(world.handle(vectorRequest('V3')).reply?.delayMs, 5)
})

t.test(
  'pxe_class: option 60 "PXEClient" and "use this file", or the option 43 that is asked for',
  async (t) => {
    const { packet } = answerWith({ architectures: [7] }, { pxeClass: true })
    t.equal(Buffer.from(packet.options.get(60)!).toString(), 'PXEClient')
    t.same([...packet.options.get(43)!], [6, 1, 8, 255])
    const bare = answerWith({ architectures: [7] }, { pxeClass: true, vendorOptions: 'none' }).packet
    t.ok(bare.options.has(60) && !bare.options.has(43))
  },
)

t.test('file_in: the field alone, option 67 alone, or both', async (t) => {
  const field = answerWith({ architectures: [7] }, { fileIn: 'field' }).packet
  t.equal(field.file, 'snponly.efi')
  t.notOk(field.options.has(67))
  const option = answerWith({ architectures: [7] }, { fileIn: 'option' }, { ...PXE, 55: '0103' }).packet
  t.equal(option.file, '')
  t.equal(Buffer.from(option.options.get(67)!).toString(), 'snponly.efi\0', 'even unasked')
})

t.test('pad_bytes, loader and tftp_block_bytes', async (t) => {
  const { decision, packet } = answerWith(
    { architectures: [7] },
    { padBytes: 500, loader: 'ipxe.efi', tftpBlockBytes: 1024 },
  )
  t.equal(decision.reply?.bytes.length, 500)
  t.equal(packet.file, 'ipxe.efi')
  t.equal(decision.reply?.tftpBlockBytes, 1024)
})

t.test('in proxy mode a quirk decides option 43 as well', async (t) => {
  const world = new DhcpWorld()
  world.settings = settingsOf({
    mode: 'proxy',
    quirks: [quirk({ architectures: [7] }, { vendorOptions: 'direct' })],
  })
  t.same([...replyOf(world.handle(vectorRequest('V3'))).options.get(43)!], [6, 1, 8, 255])
  world.settings = settingsOf({
    mode: 'proxy',
    quirks: [quirk({ architectures: [0] }, { vendorOptions: 'none' })],
  })
  t.notOk(replyOf(world.handle(vectorRequest('V1'))).options.has(43))
})

t.test(
  'what firmware cannot bear is no reason to slow down the iPXE or the system that it loaded',
  async (t) => {
    const ipxe = { ...PXE, 77: hexOf('iPXE'), 175: '130101240101' }
    t.equal(answerWith({ macs: ['02'] }, { delayMs: 5 }, ipxe).decision.reply?.delayMs, undefined)
    t.equal(answerWith({ macs: ['02'] }, { delayMs: 5 }, {}).decision.reply?.delayMs, undefined)
  },
)

t.test(
  'an operator’s entry counts after the shipped ones, and takes the place of one of its name',
  async (t) => {
    const own = quirk({ macs: ['02'] }, { delayMs: 7 })
    t.same(withOperatorsQuirks([own]), [...SHIPPED_QUIRKS, own])
    const replaced = { ...own, name: 'raspberry-pi-3-instant-offer' }
    t.notOk(withOperatorsQuirks([replaced]).some(({ reply }) => reply.delayMs === 1000))
  },
)

t.test('an operator’s entries are read from the configuration', async (t) => {
  const parsed = parseQuirks([
    {
      name: 'old-nic',
      source: 'our ticket 7',
      match: { vendor_classes: ['PXEClient'], architectures: [0], macs: ['AA:BB:CC'], uuids: ['4C4C4544'] },
      reply: { pxe_class: true, vendor_options: 'none', file_in: 'field', pad_bytes: 400, delay_ms: 500 },
    },
    { name: 'raspberry-pi-menu', match: { macs: ['dc:a6:32'] } },
  ])
  t.same(parsed, {
    ok: true,
    quirks: [
      {
        name: 'old-nic',
        source: 'our ticket 7',
        match: { vendorClasses: ['PXEClient'], architectures: [0], macs: ['aa:bb:cc'], uuids: ['4c4c4544'] },
        reply: { pxeClass: true, vendorOptions: 'none', fileIn: 'field', padBytes: 400, delayMs: 500 },
      },
      { name: 'raspberry-pi-menu', source: 'the operator', match: { macs: ['dc:a6:32'] }, reply: {} },
    ],
  })
})

const WRONG: readonly (readonly [unknown, RegExp, RegExp])[] = [
  ['x', /x/, /a list/],
  [['x'], /quirk 1: x/, /name, source, match, reply/],
  [[{ name: 'A b' }], /quirk 1: name: A b/, /hyphens/],
  [[{ name: 'a' }], /a: match/, /vendor_classes/],
  [[{ name: 'a', match: {} }], /a: match/, /vendor_classes/],
  [[{ name: 'a', match: { mac: ['02'] } }], /a: match\.mac: an unknown key/, /macs/],
  [[{ name: 'a', match: { macs: ['2'] } }], /a: match\.macs/, /first bytes/],
  [[{ name: 'a', match: { macs: ['02'] }, reply: { delay_ms: 3001 } }], /delay_ms: 3001/, /0 to 3000/],
  [[{ name: 'a', match: { macs: ['02'] }, reply: { pad_bytes: 10 } }], /pad_bytes: 10/, /300 to 548/],
  [[{ name: 'a', match: { macs: ['02'] }, extra: 1 }], /a: extra|quirk 1: extra/, /name, source/],
]

for (const [value, got, want] of WRONG) {
  t.test(`refused with what is wanted: ${JSON.stringify(value)}`, async (t) => {
    t.match(parseQuirks(value), { ok: false, fault: { got, want } })
  })
}
