import t from 'tap'
import { toHex } from '../../../src/net/bytes.ts'
import { parseExtraOptions, wordsOf } from '../../../src/policy/dhcp/extra-options.ts'
import { clientRequest, DhcpWorld, LOCAL, machineOf, REMOTE, replyOf } from '../../support/dhcp-builders.ts'

const good: readonly (readonly [name: string, words: Record<string, unknown>, code: number, hex: string])[] =
  [
    ['a number of two bytes by name', { mtu: 9000 }, 26, '2328'],
    ['the same as a text, as a command line has it', { mtu: '9000' }, 26, '2328'],
    ['a name by its number', { 26: 1500 }, 26, '05dc'],
    ['a negative number', { 'time-offset': -3600 }, 2, 'fffff1f0'],
    ['one address', { 'log-server': '10.0.0.1' }, 7, '0a000001'],
    ['several addresses', { 'log-server': ['10.0.0.1', '10.0.0.2'] }, 7, '0a0000010a000002'],
    ['several addresses of a command line', { 'log-server': '10.0.0.1,10.0.0.2' }, 7, '0a0000010a000002'],
    ['a search list (RFC 3397)', { 'domain-search': ['a.example'] }, 119, '016107' + '6578616d706c65' + '00'],
    ['routes (RFC 3442)', { 'classless-routes': ['10.8.0.0/13 via 10.0.0.1'] }, 121, '0d0a080a000001'],
    ['a default route (RFC 3442)', { 'classless-routes': ['0.0.0.0/0 via 10.0.0.1'] }, 121, '000a000001'],
    ['a flag', { 'ip-forwarding': true }, 19, '01'],
    ['an option without a name, with its type', { 224: { type: 'text', value: 'hé' } }, 224, '68c3a9'],
    ['bytes as they are', { 224: { type: 'hex', value: '0a:0b 0c' } }, 224, '0a0b0c'],
    ['the largest value that fits', { 224: { type: 'text', value: 'x'.repeat(255) } }, 224, '78'.repeat(255)],
  ]

for (const [name, words, code, hex] of good) {
  t.test(`${name} is read, and its words are read again to the same`, async (t) => {
    const parsed = parseExtraOptions(words, 'subnet')
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.fault))
    t.match(parsed.options, [{ code, hex, always: false }])
    t.same(parseExtraOptions(wordsOf(parsed.options), 'subnet'), parsed)
  })
}

const bad: readonly (readonly [name: string, words: unknown, got: RegExp, want: RegExp])[] = [
  ['no map', ['mtu'], /mtu/, /a map/],
  ['a name that nobody knows', { mtoo: 1 }, /unknown option/, /a name such as/],
  ['a number over 254', { 255: 1 }, /not the operator’s/, /another/],
  ['a number over 255', { 300: 1 }, /unknown option/, /1 to 254/],
  ['a number without a type', { 224: 'x' }, /no type/, /type, value/],
  ['a type that nobody knows', { 224: { type: 'txt', value: 'x' } }, /"txt"/, /uint16/],
  ['a number out of range', { mtu: 65536 }, /65536/, /0 to 65535/],
  ['a fraction', { mtu: 1.5 }, /1\.5/, /whole number/],
  ['no address', { 'log-server': '10.0.0' }, /10\.0\.0/, /IPv4/],
  ['an empty list', { 'log-server': [] }, /\[\]/, /IPv4/],
  ['a value over 255 bytes', { 224: { type: 'text', value: 'x'.repeat(256) } }, /256 bytes/, /at most 255/],
  ['control characters', { 224: { type: 'text', value: 'a\nb' } }, /a\\nb/, /without control/],
  ['an empty text', { 224: { type: 'text', value: '' } }, /""/, /text/],
  ['null', { mtu: null }, /null/, /whole number/],
  ['always that is no truth', { mtu: { value: 1500, always: 'yes' } }, /yes/, /true or false/],
  [
    'a key beside type, value and always',
    { mtu: { value: 1500, allways: true } },
    /allways/,
    /type, value, always/,
  ],
  ['a host route with host bits', { 'classless-routes': ['10.8.0.1/13 via 10.0.0.1'] }, /10\.8/, /routes/],
  ['a domain with an empty label', { 'domain-search': ['a..b'] }, /a\.\.b/, /domains/],
  ['what has a key of its own', { router: '10.0.0.1' }, /key of its own/, /the key router/],
  ['one option by name and by number', { mtu: 1500, 26: 1500 }, /twice/, /once/],
  [
    'more than a reply can hold',
    Object.fromEntries(
      [224, 225, 226, 227, 228].map((code) => [code, { type: 'text', value: 'x'.repeat(255) }]),
    ),
    /1285 bytes together/,
    /1024/,
  ],
]

for (const [name, words, got, want] of bad) {
  t.test(`${name} is refused with what is wanted`, async (t) => {
    t.match(parseExtraOptions(words, 'subnet'), { ok: false, fault: { got, want } })
  })
}

t.test('what the server decides, echoes or must never send cannot be set, with the reason', async (t) => {
  const never = [0, 1, 12, 13, 28, 43, ...[50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61], 66, 67, 77, 82]
  for (const code of [...never, 90, 93, 94, 97, 118, 175, 255]) {
    const parsed = parseExtraOptions({ [code]: { type: 'hex', value: '00' } }, 'machine')
    t.match(parsed, { ok: false, fault: { cure: /.{10}/ } }, String(code))
  }
})

const asking = { 55: `${toHex(Uint8Array.of(1, 3, 6, 26, 224))}` }

function optionsOf(world: DhcpWorld, last: number, options: Readonly<Record<number, string>>) {
  const { options: got } = replyOf(world.handle(clientRequest({ messageType: 'discover', last, options })))
  return (code: number) => {
    const value = got.get(code)
    return value === undefined ? undefined : toHex(value)
  }
}

function withOptions(words: unknown, ofMachine?: unknown): DhcpWorld {
  const world = new DhcpWorld()
  const read = (given: unknown, of: 'subnet' | 'machine') => {
    const parsed = parseExtraOptions(given, of)
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.fault))
    return parsed.options
  }
  world.subnets = [{ ...LOCAL, options: read(words, 'subnet') }, REMOTE]
  if (ofMachine !== undefined) world.machines = [machineOf(3, { dhcpOptions: read(ofMachine, 'machine') })]
  return world
}

t.test('a subnet’s options go to clients that ask, and to those that do not say', async (t) => {
  const world = withOptions({ mtu: 9000, 224: { type: 'text', value: 'hi', always: true } })
  t.equal(optionsOf(world, 3, asking)(26), '2328')
  t.equal(optionsOf(world, 3, {})(26), '2328')
  const other = optionsOf(world, 3, { 55: '0103' })
  t.equal(other(26), undefined)
  t.equal(other(224), '6869', 'always means always')
})

t.test('a machine’s own options stand in place of its subnet’s, even of those with a key', async (t) => {
  const world = withOptions({ mtu: 9000 }, { mtu: 1400, router: '192.0.2.9' })
  const got = optionsOf(world, 3, asking)
  t.equal(got(26), '0578')
  t.equal(got(3), 'c0000209')
})

t.test('a machine’s own option takes its subnet’s away also where the client asks for neither', async (t) => {
  const world = withOptions({ mtu: { value: 9000, always: true } }, { mtu: 1400 })
  t.equal(optionsOf(world, 3, { 55: '0103' })(26), undefined)
  t.equal(optionsOf(world, 3, { 55: '01031a' })(26), '0578')
})

t.test('an extra option never costs a small client its boot file or its router', async (t) => {
  const fat = { 224: { type: 'text', value: 'x'.repeat(140), always: true } }
  const world = withOptions({ ...fat, 225: { ...fat[224] } })
  const pxe = { 60: toHex(new TextEncoder().encode('PXEClient')), 93: '0007', 55: '010306424361' }
  const decision = world.handle(clientRequest({ messageType: 'discover', last: 3, options: pxe }))
  t.ok(decision.reply!.bytes.length <= 548)
  const { options, file } = replyOf(decision)
  t.equal(file, 'snponly.efi')
  t.ok(options.has(3) && options.has(6) && options.has(67))
  t.ok(options.has(224) && !options.has(225), 'the last ones give way first')
})
