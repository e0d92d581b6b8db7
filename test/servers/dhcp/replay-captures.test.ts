import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { configFromElsewhere, PROGRAM_DIR } from '../../../src/cli/program-dir.ts'
import { decode } from '../../../src/dhcp/decode.ts'
import { type DhcpPacket, isRelayed } from '../../../src/dhcp/packet.ts'
import { fromHex, latin1, toHex } from '../../../src/net/bytes.ts'
import { classifyClient } from '../../../src/policy/dhcp/classify-client.ts'
import { replayCapture } from '../../../src/servers/dhcp/replay-capture.ts'
import { type Capture, readCaptures } from '../../support/dhcp-captures.ts'

type Mode = 'authoritative' | 'proxy'
type Kind = 'ipxe' | 'pxe' | 'http' | 'plain'

/** One packet of a client: what it is, and what it is answered in either mode. */
type Row = readonly [kind: Kind, message: string, authoritative: string, proxy: string]

// In one capture after the other what came before counts: an offer, then the address that the client asked for.
const FIRST = 'offer offered-from-pool'
const AGAIN = 'offer offered-again'
const BEFORE = 'offer offered-previous-lease'
const GRANTED = 'ack lease-granted'
const PROXIED = 'offer proxy-offered'
const ON_4011 = 'ack pxe-answered'
const OTHERS = 'silence left-to-address-server'
const OTHER_CHOSEN = 'silence another-server-chosen'
const NO_BOOT = 'silence no-boot-client'

/** What each capture holds, by frame: real firmware, what it loaded, and the system after it. */
const CAPTURED: Readonly<Record<string, Readonly<Record<number, Row>>>> = {
  'bios-ipxe-rom-e1000': {
    1: ['ipxe', 'discover', FIRST, PROXIED],
    3: ['ipxe', 'request', GRANTED, OTHERS],
    6: ['plain', 'discover', BEFORE, NO_BOOT],
  },
  'bios-rom-undionly': {
    1: ['ipxe', 'discover', FIRST, PROXIED],
    3: ['ipxe', 'request', GRANTED, OTHERS],
    6: ['ipxe', 'discover', BEFORE, PROXIED],
    8: ['ipxe', 'request', GRANTED, OTHERS],
  },
  'linux-systemd-networkd': {
    1: ['ipxe', 'discover', FIRST, PROXIED],
    3: ['ipxe', 'request', GRANTED, OTHERS],
    5: ['plain', 'discover', BEFORE, NO_BOOT],
    7: ['plain', 'request', GRANTED, OTHERS],
  },
  'proxydhcp-bios-nofile': {
    1: ['ipxe', 'discover', FIRST, PROXIED],
    4: ['ipxe', 'request', GRANTED, OTHERS],
    6: ['ipxe', 'request', OTHER_CHOSEN, ON_4011], // names the proxy server, 10.99.0.2, in option 54
  },
  'proxydhcp-uefi-direct': {
    1: ['pxe', 'discover', FIRST, PROXIED],
    4: ['pxe', 'request', GRANTED, OTHERS],
    6: ['pxe', 'request', ON_4011, ON_4011], // names no server at all
    13: ['ipxe', 'discover', BEFORE, PROXIED],
    16: ['ipxe', 'request', GRANTED, OTHERS],
    20: ['plain', 'discover', BEFORE, NO_BOOT],
    22: ['plain', 'request', GRANTED, OTHERS],
  },
  'relay-dhcrelay-bios': {
    1: ['ipxe', 'discover', FIRST, PROXIED],
    3: ['ipxe', 'request', GRANTED, OTHERS],
  },
  'uefi-arm64-pxe4-ipxe': {
    1: ['pxe', 'discover', FIRST, PROXIED],
    3: ['pxe', 'request', GRANTED, OTHERS],
    5: ['ipxe', 'discover', BEFORE, PROXIED],
    7: ['ipxe', 'request', GRANTED, OTHERS],
  },
  'uefi-x64-httpboot': {
    2: ['http', 'discover', FIRST, PROXIED],
    4: ['http', 'request', GRANTED, OTHERS],
    7: ['ipxe', 'discover', BEFORE, PROXIED],
    10: ['ipxe', 'request', GRANTED, OTHERS],
  },
  'uefi-x64-pxe4-snponly': {
    2: ['pxe', 'discover', FIRST, PROXIED],
    4: ['pxe', 'request', GRANTED, OTHERS],
    11: ['ipxe', 'discover', BEFORE, PROXIED],
    13: ['ipxe', 'request', GRANTED, OTHERS],
  },
  'uefi-x64-pxe6': {
    22: ['ipxe', 'discover', FIRST, PROXIED],
    29: ['ipxe', 'discover', AGAIN, PROXIED],
    30: ['ipxe', 'discover', AGAIN, PROXIED],
    32: ['ipxe', 'discover', AGAIN, PROXIED],
    ...Object.fromEntries(
      [33, 34, 35, 38, 39, 41, 42, 43, 44, 45].map((frame): [number, Row] => [
        frame,
        ['plain', 'discover', AGAIN, NO_BOOT],
      ]),
    ),
  },
}

interface Answer {
  readonly frame: number
  readonly message: string
  readonly mac: string
  readonly decision: string
  readonly reason: string
  readonly reply: { readonly to: string; readonly from_port: number; readonly hex: string } | null
}

const CAPTURES = readCaptures()

t.test('every captured packet of a client is in the table, and is what the table says', async (t) => {
  const rows = Object.entries(CAPTURED).flatMap(([capture, frames]) =>
    Object.entries(frames).map(([frame, [kind, message]]) => `${capture} ${frame}: ${message} of ${kind}`),
  )
  const captured = CAPTURES.map(
    ({ name, request: { packet } }) => `${name}: ${packet.messageType} of ${classifyClient(packet).kind}`,
  )
  t.same(captured.sort(), rows.sort())
})

for (const mode of ['authoritative', 'proxy'] as const) {
  for (const [capture, rows] of Object.entries(CAPTURED)) {
    t.test(`${capture}, replayed in ${mode} mode: every packet gets its answer, in its shape`, async (t) => {
      const captured = CAPTURES.filter(({ name }) => name.startsWith(`${capture} `))
      const answers = await replay(t, captured, mode)
      t.equal(answers.length, captured.length)
      let address: string | undefined
      for (const [index, answer] of answers.entries()) {
        const { request } = captured[index]!
        const [kind, , authoritative, proxy] = rows[answer.frame]!
        const { frame, decision, reason, reply } = answer
        const expected = mode === 'proxy' ? proxy : authoritative
        t.equal(`${decision} ${reason}`, expected, `frame ${frame}`)
        t.match(answer, { message: request.packet.messageType, mac: /^52:54:00:99:00:0\d$/ })
        if (reply === null) continue
        const packet = packetOf(reply.hex)
        t.equal(reply.to, destinationOf(captured[index]!), `frame ${frame}`)
        checkEchoes(t, request.packet, packet, reply.hex)
        checkBootData(t, kind, mode, answer, packet)
        if (packet.yiaddr === '0.0.0.0') continue
        // REQUEST: the address of the real exchange, free here too; after that one machine keeps one address.
        address = decision === 'ack' || address === undefined ? packet.yiaddr : address
        t.equal(packet.yiaddr, address, `frame ${frame}: one machine, one address`)
      }
    })
  }
}

/** Replays one capture over a store of its own, every MAC of it registered. */
async function replay(
  t: { teardown(done: () => unknown): void },
  captured: readonly Capture[],
  mode: Mode,
): Promise<readonly Answer[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'replay-captures-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'pilotlight.yaml')
  writeFileSync(
    file,
    `data_dir: ${folder}/data
assets_dir: ${folder}
interface: provisioning0
server_address: ${serverOf(mode)}
dhcp: { mode: ${mode} }
subnets:
  - { cidr: 10.99.0.0/24, pool: 10.99.0.50-10.99.0.99, router: 10.99.0.254, dns: [10.99.0.1] }
  - { cidr: 10.99.1.0/24, pool: 10.99.1.50-10.99.1.99, router: 10.99.1.254, dns: [10.99.0.1] }
`,
  )
  const packets = captured.map(({ name, bytes, request: { arrival } }, index) => ({
    frame: Number(name.split(' ')[1]),
    atMs: 1_700_000_000_000 + index * 1000,
    bytes,
    arrival,
  }))
  const options = {
    config: configFromElsewhere(file),
    migrationsDir: path.join(PROGRAM_DIR, 'migrations'),
    registersAll: true,
  }
  const answers: Answer[] = []
  await replayCapture(packets, options, (answer) => answers.push(answer as Answer))
  return answers
}

/** The server of the captures leases at .1; where two were on the link, the one for booting was at .2. */
function serverOf(mode: Mode): string {
  return mode === 'proxy' ? '10.99.0.2' : '10.99.0.1'
}

function packetOf(hex: string): DhcpPacket {
  const decoded = decode(fromHex(hex)!, 'reply')
  if (!decoded.ok) throw new Error(`no DHCP reply: ${decoded.reason}`)
  return decoded.packet
}

function destinationOf({ request: { packet, arrival } }: Capture): string {
  if (arrival.socket === 'pxe') return `${arrival.sourceAddress}:${arrival.sourcePort}`
  return isRelayed(packet) ? `${packet.giaddr}:67` : '255.255.255.255:68'
}

/** What a client or a relay recognises its answer by. */
function checkEchoes(t: Test, request: DhcpPacket, reply: DhcpPacket, hex: string): void {
  t.equal(reply.xid, request.xid)
  t.same(reply.chaddr, request.chaddr)
  t.equal(reply.giaddr, request.giaddr)
  for (const code of [61, 82, 97]) t.same(reply.options.get(code), request.options.get(code), `${code}`)
  const relayInfo = reply.options.get(82)
  const end = relayInfo === undefined ? '' : `52${toHex(Uint8Array.of(relayInfo.length))}${toHex(relayInfo)}`
  t.match(hex, new RegExp(`${end}ff(00)*$`), '82 is last, and 255 ends the options')
  t.ok(hex.length >= 600)
}

/** What the kind of client needs in order to boot, and what would lead it astray. */
function checkBootData(t: Test, kind: Kind, mode: Mode, answer: Answer, packet: DhcpPacket): void {
  const { frame, mac, reply } = answer
  const text = (code: number) => {
    const value = packet.options.get(code)
    return value === undefined ? undefined : latin1(value).replace(/\0$/, '')
  }
  const hex = (code: number) => toHex(packet.options.get(code) ?? new Uint8Array())
  const server = serverOf(mode)
  const isBoot = kind !== 'plain'
  t.equal(text(54)?.length, 4, 'a server identifier')
  t.match(packet, isBoot ? { siaddr: server, sname: server } : { siaddr: '0.0.0.0', sname: '', file: '' })
  t.equal(packet.file, fileFor(kind, mode, mac, frame), `frame ${frame}`)

  const isBeside = mode === 'proxy' || reply?.from_port === 4011
  for (const code of [1, 3, 6, 51, 58, 59]) {
    if (isBeside) t.notOk(packet.options.has(code), `frame ${frame}: the other server's ${code}`)
  }
  if (!isBeside) for (const code of [1, 3, 6, 51, 58, 59]) t.ok(packet.options.has(code), `${code}`)
  // UEFI takes an offer that says PXEClient for a BINL server's, and wants HTTPClient in one for HTTP boot.
  const vendorClass = kind === 'http' ? 'HTTPClient' : isBeside ? 'PXEClient' : undefined
  t.equal(text(60), vendorClass, `frame ${frame}: 60`)
  const isDirect = isBeside && kind === 'ipxe' && reply?.from_port === 67
  t.equal(hex(43), isDirect ? '060108ff' : '', `frame ${frame}: 43`)
  t.equal(hex(175), kind === 'ipxe' && !isBeside ? 'b00101' : '', `frame ${frame}: 175`)
  if (packet.options.has(67)) t.equal(text(67), packet.file)
  else t.ok(!isBoot || reply?.from_port === 67, 'from port 4011 the file is named in 67')
}

function fileFor(kind: Kind, mode: Mode, mac: string, frame: number): string {
  const base = `http://${serverOf(mode)}:8080`
  switch (kind) {
    case 'ipxe':
      return `${base}/boot/${mac.replaceAll(':', '-')}.ipxe`
    case 'http':
      return `${base}/assets/snponly.efi`
    case 'pxe':
      return mac === '52:54:00:99:00:04' ? 'snponly-arm64.efi' : 'snponly.efi'
    case 'plain':
      return ''
    default:
      throw new Error(`frame ${frame}: no such kind`)
  }
}
