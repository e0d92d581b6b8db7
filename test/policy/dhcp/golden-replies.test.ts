import t from 'tap'
import { decode } from '../../../src/dhcp/decode.ts'
import { toHex } from '../../../src/net/bytes.ts'
import { DhcpWorld, ip, machineOf, offerOf, requestFrom, settingsOf } from '../../support/dhcp-builders.ts'
import { VECTORS, vector } from '../../support/dhcp-vectors.ts'
import { type Golden, type GoldenField, readGoldenReplies } from '../../support/golden-replies.ts'

const GOLDEN = readGoldenReplies()

/** What a heading of the file says about the world, and how it comes to be. */
const WORLDS: Readonly<Record<string, (world: DhcpWorld) => void>> = {
  '': () => {},
  'in proxy mode': (world) => {
    world.settings = settingsOf({ mode: 'proxy' })
  },
  'in proxy mode, proxy.uefi direct': (world) => {
    world.settings = settingsOf({ mode: 'proxy', proxyUefi: 'direct' })
  },
  'of an unknown MAC': (world) => {
    world.machines = []
  },
  'of a registered machine': (world) => {
    world.machines.push(machineOf(9, { macs: ['dc:a6:32:00:00:14' as never] }))
  },
  'of an address that it was offered': (world) => {
    world.offers = [offerOf(3, ip('192.0.2.120'))]
  },
}

/** Vectors as the protocol reference numbers them; none may be forgotten, here or in the golden file. */
const NAMES = [
  ...Array.from({ length: 15 }, (_, index) => `V${index + 1}`),
  ...Array.from({ length: 11 }, (_, index) => `B${index + 1}`),
]

t.test('every vector, V1 to V15 and B1 to B11, is there and has its golden answer', async (t) => {
  t.same(
    VECTORS.map(({ name }) => name),
    NAMES,
  )
  t.same([...new Set(GOLDEN.map((one) => one.vector))], NAMES)
  t.same(
    GOLDEN.filter(({ fields, silence, route }) => (silence === undefined) !== (fields.length > 0 && !!route)),
    [],
    'a block holds a reply or a silence',
  )
})

for (const golden of GOLDEN) {
  const { title, silence } = golden
  const what = VECTORS.find(({ name }) => name === golden.vector)?.title
  t.test(`${title} (${what}): ${silence ?? `to ${golden.route?.split(' > ')[1]}`}`, async (t) => {
    const answered = answerTo(golden)
    if (silence !== undefined) return t.same(answered, { silence })
    t.equal(answered.route, golden.route)
    t.same(inFields(answered.bytes ?? '', golden.fields), inFields(hexOfFields(golden.fields), golden.fields))
    return t.equal(answered.bytes, hexOfFields(golden.fields), 'byte for byte')
  })
}

interface Answered {
  readonly silence?: string
  readonly route?: string
  readonly bytes?: string
}

function answerTo({ vector: name, world: worldName, arrival }: Golden): Answered {
  const decoded = decode(vector(name))
  if (!decoded.ok) return { silence: decoded.reason }
  const world = new DhcpWorld()
  const change = WORLDS[worldName]
  if (change === undefined) throw new Error(`no world "${worldName}"`)
  change(world)
  const { reply, reason } = world.decide(requestFrom(vector(name), arrival))
  if (reply === undefined) return { silence: reason }
  const from = `${world.settings.serverAddress}:${reply.from === 'pxe' ? 4011 : 67}`
  return { route: `${from} > ${reply.address}:${reply.port}`, bytes: toHex(reply.bytes) }
}

const hexOfFields = (fields: readonly GoldenField[]) => fields.map(({ bytes }) => toHex(bytes)).join('')

/** A reply cut where the golden one is, so that a difference shows the field and its rule. */
function inFields(hex: string, fields: readonly GoldenField[]): readonly string[] {
  let at = 0
  const rows = fields.map(({ name, bytes, why }) => {
    const from = at
    at += bytes.length * 2
    return `${name}: ${hex.slice(from, at)} (${why})`
  })
  return [...rows, `rest: ${hex.slice(at)}`]
}
