import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { writeCaptureFile } from '../../src/net/capture-file.ts'
import { ipv4PacketOf } from '../../src/net/udp-datagram.ts'
import { readCaptures } from '../support/dhcp-captures.ts'
import { vector } from '../support/dhcp-vectors.ts'

const START = fileURLToPath(new URL('../../src/start.js', import.meta.url))

/** A configuration of a server that is not this machine, and a folder for captures. */
function setUp(t: { teardown(done: () => unknown): void }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'dhcp-replay-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const config = path.join(folder, 'pilotlight.yaml')
  writeFileSync(
    config,
    `interface: provisioning0
server_address: 10.99.0.1
assets_dir: ${folder}
unknown_machines: discover
subnets:
  - cidr: 10.99.0.0/24
    pool: 10.99.0.50-10.99.0.199
`,
  )
  return { folder, config, capture: path.join(folder, 'capture.pcap') }
}

function replay(...args: readonly string[]) {
  const { NODE_OPTIONS: _, ...rest } = process.env
  const temporary = args.find((arg) => arg.endsWith('.yaml'))
  const env = { ...rest, ...(temporary === undefined ? {} : { TMPDIR: path.dirname(temporary) }) }
  const done = spawnSync(process.execPath, [START, 'dhcp', 'replay', ...args], { encoding: 'utf8', env })
  const lines = done.stdout.split('\n').filter((line) => line !== '')
  return { code: done.status, stderr: done.stderr, lines }
}

function captured(payloads: readonly (readonly [Uint8Array, string, string])[]): Uint8Array {
  const [server, client] = ['10.99.0.1', '0.0.0.0'] as const
  return writeCaptureFile(
    payloads.map(([payload, to, port], index) => ({
      atMs: 1_700_000_000_000 + index * 1000,
      bytes: ipv4PacketOf({
        source: (to === 'reply' ? server : client) as never,
        sourcePort: 68,
        destination: (to === 'reply' ? '255.255.255.255' : to) as never,
        destinationPort: Number(port),
        payload,
      }),
    })),
  )
}

t.test(
  'a boot of real firmware is replayed: one object a client packet, what one changes the next one finds',
  async (t) => {
    const { folder, config, capture } = setUp(t)
    const boot = readCaptures().filter(({ name }) => name.startsWith('uefi-arm64-pxe4-ipxe'))
    t.equal(boot.length, 4)
    writeFileSync(
      capture,
      captured(
        boot.map(({ bytes, request }) => [
          bytes,
          '255.255.255.255',
          request.arrival.socket === 'pxe' ? '4011' : '67',
        ]),
      ),
    )
    const { code, lines } = replay(capture, '--config', config, '--json')
    t.equal(code, 0)
    const answers = lines.map((line) => JSON.parse(line))
    t.equal(answers.length, boot.length)
    t.match(answers[0], {
      frame: 1,
      message: 'discover',
      mac: boot[0]!.request.packet.options.has(93) ? /^52:54:00/ : '',
      decision: 'offer',
      reason: 'offered-from-pool',
      reply: { boot: 'loader', file: 'snponly-arm64.efi' },
    })
    t.notOk(
      readdirSync(folder).some((name) => name.startsWith('pilotlight-replay-')),
      'its store is gone',
    )
    for (const answer of answers) {
      t.same(Object.keys(answer), ['frame', 'message', 'mac', 'decision', 'reason', 'reply'])
    }
  },
)

t.test('replies in a capture are passed over; garbage and silence are answered with null', async (t) => {
  const { config, capture } = setUp(t)
  writeFileSync(
    capture,
    captured([
      [vector('B5'), 'reply', '67'], // a server's own
      [vector('V8'), '255.255.255.255', '67'], // an operating system nobody knows
      [vector('B1'), '255.255.255.255', '67'],
      [vector('V1'), '255.255.255.255', '69'], // not DHCP's port
    ]),
  )
  const { code, lines } = replay(capture, '--config', config, '--json')
  t.equal(code, 0)
  t.same(
    lines.map((line) => JSON.parse(line)),
    [
      {
        frame: 2,
        message: 'discover',
        mac: '02:00:00:00:00:02',
        decision: 'silence',
        reason: 'unknown-and-not-booting',
        reply: null,
      },
      { frame: 3, message: null, mac: null, decision: 'dropped', reason: 'option-overrun', reply: null },
    ],
  )
})

t.test('--register-all makes every MAC a machine first; without --json a person reads it', async (t) => {
  const { config, capture } = setUp(t)
  writeFileSync(capture, captured([[vector('V8'), '255.255.255.255', '67']]))
  const { code, lines } = replay(capture, '--config', config, '--register-all')
  t.equal(code, 0)
  t.match(lines[0], /^frame 1: discover from 02:00:00:00:00:02: offer, offered-from-pool$/)
  t.ok(lines.some((line) => /^54 +server-id +10\.99\.0\.1$/.test(line)))
})

t.test('a file that is no capture, and one that is not there, end with 1 and what to do', async (t) => {
  const { folder, config, capture } = setUp(t)
  writeFileSync(capture, captured([[vector('V1'), '255.255.255.255', '67']]).subarray(0, 100))
  const cut = replay(capture, '--config', config, '--json')
  t.equal(cut.code, 1)
  t.match(cut.stderr, /frame 1 wants \d+ bytes, the file has \d+ left.*\ncure: capture again/)
  const none = replay(path.join(folder, 'none.pcap'), '--config', config)
  t.equal(none.code, 1)
  t.match(none.stderr, /cannot be read \(ENOENT\)/)
  t.equal(replay().code, 2, 'a usage error')
})
