import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Mac } from '../../src/net/mac.ts'
import { type RedeemedConfig, ServerProcess, tokenIn } from '../support/server-process.ts'
import { scratchDir, type Teardown } from '../support/store-world.ts'
import { attachStrace, straceMissing, type Traced } from '../support/strace.ts'

const MAC = '02:d1:00:00:00:01' as Mac
const SERVER_KEY = new URL('../../src/store/server-key.ts', import.meta.url).href
const isRoot = process.getuid?.() === 0

/** A server with one armed machine. */
async function withMachine(t: Teardown, wish: ConstructorParameters<typeof ServerProcess>[1] = {}) {
  const server = await ServerProcess.start(t, wish)
  const image = await server.importImage()
  await server.api('POST', '/clusters', { name: 'c', expected_control_plane: 1 })
  const machine = { name: 'n1', macs: [MAC], role: 'control-plane', cluster: 'c', image }
  await server.api('POST', '/machines', { ...machine, address: server.addressOf(1) })
  await server.api('POST', '/machines/n1/arm', {})
  return server
}

t.test(
  'strace: the disk is synced before an ACK, a configuration and a report’s 200 leave, and an OFFER does not wait',
  { skip: straceMissing() ?? false, timeout: 120_000 },
  async (t) => {
    const server = await withMachine(t)
    const token = tokenIn(await server.fetchCommandLine(MAC))
    const strace = await attachStrace(t, server.pid)
    const { address } = await server.lease(MAC, 'os')
    const answer = await server.redeem(MAC, token, address)
    t.equal(answer.status, 200)
    const config = JSON.parse(answer.body.toString()) as RedeemedConfig
    t.equal((await server.report(config, address, 1)).status, 200)
    // What came before an answer to this one is in the trace, whole.
    await server.api('GET', '/machines')
    const traced = await strace.detach()

    const discover = find(traced, 'in', dhcp('01'), 0)
    const offer = find(traced, 'out', dhcp('02'), discover)
    t.equal(syncsBetween(traced, discover, offer), 0, 'an OFFER promises nothing that is on the disk')
    const request = find(traced, 'in', dhcp('03'), offer)
    const ack = find(traced, 'out', dhcp('05'), request)
    t.ok(syncsBetween(traced, request, ack) >= 1, 'REQUEST, sync, ACK')
    const asked = find(traced, 'in', /^GET \/machines\/.*cluster-config/, ack)
    const given = find(traced, 'out', /^HTTP\/1\.1 200 .*bootstrap/s, asked)
    t.ok(syncsBetween(traced, asked, given) >= 1, 'the configuration asked for, sync, given')
    const reported = find(traced, 'in', /^POST \/machines\/.*reports/, given)
    const heard = find(traced, 'out', /^HTTP\/1\.1 200 .*recorded/s, reported)
    t.ok(syncsBetween(traced, reported, heard) >= 1, 'a report, sync, its 200')
  },
)

t.test(
  'a sync that fails ends the server: no ACK, exit code 5, and it says why',
  { skip: straceMissing() ?? false, timeout: 120_000 },
  async (t) => {
    const server = await withMachine(t)
    await attachStrace(t, server.pid, '-e', 'inject=fdatasync,fsync:error=EIO')
    await t.rejects(server.lease(MAC, 'os', { timeoutMs: 3_000 }))
    t.same(await server.ended(), { code: 5, signal: null })
    const fatal = server.logged.find(({ level }) => level === 60)
    t.match(fatal, { level: 60, msg: /the disk cannot be trusted/, err: { code: 'store-unavailable' } })
    const db = new Database(path.join(server.dataDir, 'pilotlight.db'), { readonly: true })
    t.equal(db.pragma('integrity_check', { simple: true }), 'ok')
    db.close()
  },
)

t.test(
  'the file of the database cannot be synced while the log is moved into it: that ends the server too',
  { skip: straceMissing() ?? false, timeout: 120_000 },
  async (t) => {
    const server = await withMachine(t)
    const file = path.join(server.dataDir, 'pilotlight.db')
    await attachStrace(t, server.pid, '-P', file, '-e', 'inject=fdatasync,fsync:error=EIO')
    let holds = 0
    // The log is moved after 1,024 commits at the latest.
    while (holds < 3000 && (await holdAnswered(server))) holds += 1
    t.same(await server.ended(), { code: 5, signal: null }, `after ${holds} changes`)
    t.ok(holds > 900, 'what was written before was answered')
    const fatal = server.logged.find(({ level }) => level === 60)
    t.match(fatal, { msg: /the disk cannot be trusted/, err: { code: 'store-unavailable' } })
  },
)

/** False when the server is gone, or does not write any more. */
async function holdAnswered(server: ServerProcess): Promise<boolean> {
  try {
    return (await server.ask('POST', '/machines/n1/hold', {})).status === 200
  } catch {
    return false
  }
}

t.test(
  'a disk without space: DHCP is silent, HTTP answers 503, and with space again all goes on',
  { skip: isRoot ? false : 'a disk of its own size needs root', timeout: 120_000 },
  async (t) => {
    const server = await withMachine(t, {
      // A mount that only this process sees, and that is gone with it.
      prefix: ({ dataDir }) => [
        '/usr/bin/unshare',
        '--mount',
        'sh',
        '-c',
        'mkdir -p "$0" && mount -t tmpfs -o size=230m tmpfs "$0" && exec "$@"',
        dataDir,
      ],
      dataDirSeenFromHere: (dataDir, pid) => `/proc/${pid}/root${dataDir}`,
    })
    const token = tokenIn(await server.fetchCommandLine(MAC))
    const disk = server.seenDataDir
    fillUp(path.join(disk, 'ballast'), disk)

    await t.rejects(server.lease(MAC, 'os', { timeoutMs: 2_500 }), 'an OFFER perhaps, and no ACK')
    const held = await server.ask('POST', '/machines/n1/hold', {})
    t.equal(held.status, 503)
    t.match(JSON.parse(held.body.toString()), { code: 'store-unavailable', cure: /free space/ })
    const armed = await server.ask('POST', '/machines/n1/arm', {})
    t.equal(armed.status, 507, 'and nobody is armed on what little there is')
    t.match(JSON.parse(armed.body.toString()), { code: 'disk-full', cure: /free space/ })
    const from = server.addressOf(1)
    const refused = await server.redeem(MAC, token, from, 'ab'.repeat(16))
    t.equal(refused.status, 503)
    t.ok(Number(refused.headers['retry-after']) > 0)
    t.notMatch(refused.body.toString(), /report_token/)
    const counters = await server.api<{ dhcp: Record<string, number> }>('GET', '/counters')
    t.ok((counters.dhcp.failed ?? 0) >= 1, 'counted as our fault')
    t.equal(counters.dhcp['sent:nak'], undefined, 'never a NAK for a fault of ours')

    rmSync(path.join(disk, 'ballast'))
    t.equal((await server.lease(MAC, 'os')).address, from)
    const given = await server.redeem(MAC, token, from, 'ab'.repeat(16))
    t.equal(given.status, 200, 'the token was not spent by the try that failed')
    t.same(await server.end('SIGTERM'), { code: 0, signal: null })
  },
)

t.test(
  'a start on a full disk says which disk, and the cure',
  { skip: isRoot ? false : 'a disk of its own size needs root', timeout: 120_000 },
  async (t) => {
    // Full at the lock, and in the midst of the first migration.
    for (const size of ['4k', '100k']) {
      const server = new ServerProcess(t, {
        prefix: ({ dataDir }) => [
          ...['/usr/bin/unshare', '--mount', 'sh', '-c'],
          `mkdir -p "$0" && mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`,
          dataDir,
        ],
      })
      server.spawn()
      t.same(await server.ended(), { code: 1, signal: null }, size)
      const said = server.output.join('\n')
      t.match(said, `data_dir ${server.dataDir}: its disk is full`, size)
      t.match(said, /cure: free space/, size)
      t.notMatch(said, /\n {4}at /, 'no stack: it is no bug')
    }
  },
)

t.test(
  'a disk that is full when the server key is made leaves no half of one, which no later start would take',
  { skip: isRoot ? false : 'a disk of its own size needs root' },
  async (t) => {
    const makeKey = `(await import('${SERVER_KEY}')).ServerKey.at(process.env.DISK)`
    const story =
      'mount -t tmpfs -o size=4k tmpfs "$DISK" && head -c 4096 /dev/zero > "$DISK/ballast"; "$@"; ls "$DISK"'
    const node = [process.execPath, '--input-type=module', '--eval', makeKey]
    const { stdout, stderr } = spawnSync('/usr/bin/unshare', ['--mount', 'sh', '-c', story, 'sh', ...node], {
      env: { PATH: process.env.PATH, DISK: scratchDir(t) },
      encoding: 'utf8',
    })
    t.match(stderr, /ENOSPC/)
    t.equal(stdout, 'ballast\n')
  },
)

/** Takes every byte that is left. */
function fillUp(file: string, disk: string): void {
  mkdirSync(path.dirname(file), { recursive: true })
  for (let chunk = 1024 * 1024; chunk >= 1; chunk = Math.floor(chunk / 4)) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(chunk), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  const { bavail } = statfsSync(disk)
  if (bavail !== 0) throw new Error(`${bavail} blocks are still free`)
}

function find(traced: readonly Traced[], kind: 'in' | 'out', what: RegExp, after: number): number {
  const index = traced.findIndex(
    (event, at) =>
      at >= after &&
      event.kind === kind &&
      (what.test(event.bytes.toString('latin1')) || what.test(event.bytes.toString('hex'))),
  )
  if (index < 0) throw new Error(`nothing went ${kind} that matches ${what}`)
  return index
}

/** The magic cookie with option 53 behind it, or anywhere behind it. */
function dhcp(messageType: string): RegExp {
  return new RegExp(`63825363(?:[0-9a-f]{2})*?3501${messageType}`)
}

function syncsBetween(traced: readonly Traced[], from: number, to: number): number {
  return traced.slice(from, to).filter((event) => event.kind === 'sync').length
}
