import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { type FetchSquashfs, runFetchSquashfs, SKIP_FETCH_SQUASHFS } from './support/run-fetch-squashfs.ts'

// The script of an initrd with busybox, against servers that do what servers on the way do: break off, send something
// else, have no room, know no Range. test/e2e/separate-squashfs.test.ts boots with it.

const skip = SKIP_FETCH_SQUASHFS
const ROOT_BYTES = 3_000_000
const ROOT = randomBytes(ROOT_BYTES)
const SHA256 = createHash('sha256').update(ROOT).digest('hex')

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, turn: number) => void

/** Answers as our own server does, or as the test says; and keeps what it was asked. */
async function serve(t: Test, answer: Answer = sendRoot, isDeafToBeacons = false) {
  const asked: string[] = []
  let turn = 0
  const server = http.createServer((request, response) => {
    const { range } = request.headers
    asked.push(`${request.url}${range === undefined ? '' : ` ${range}`}`)
    if (request.url?.startsWith('/beacon/')) {
      if (!isDeafToBeacons) response.end('#!ipxe\n')
    } else {
      turn += 1
      answer(request, response, turn)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function sendRoot(request: http.IncomingMessage, response: http.ServerResponse): void {
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const range = { 'content-range': `bytes ${first}-${ROOT_BYTES - 1}/${ROOT_BYTES}` }
  response.writeHead(first === 0 ? 200 : 206, {
    'content-length': ROOT_BYTES - first,
    ...(first === 0 ? {} : range),
  })
  response.end(ROOT.subarray(first))
}

/** Says that all of it comes, sends so much, and hangs up or falls silent. */
function breakOff(response: http.ServerResponse, part: Buffer, then: 'hangs-up' | 'falls-silent'): void {
  response.writeHead(200, { 'content-length': ROOT_BYTES })
  response.write(part, () => (then === 'hangs-up' ? setTimeout(() => response.destroy(), 50) : undefined))
}

/** Sends from where the client is, a tenth of it every half second. */
function sendSlowly(request: http.IncomingMessage, response: http.ServerResponse): void {
  let from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  response.writeHead(from === 0 ? 200 : 206, { 'content-length': ROOT_BYTES - from })
  const timer = setInterval(() => {
    response.write(ROOT.subarray(from, from + ROOT_BYTES / 10))
    from += ROOT_BYTES / 10
    if (from < ROOT_BYTES) return
    clearInterval(timer)
    response.end()
  }, 500)
  response.once('close', () => clearInterval(timer))
}

/** The numbers of bytes that beacons of one stage told of, in order. */
function toldOf(asked: readonly string[], stage: string): readonly number[] {
  return asked.flatMap((line) => {
    const [, bytes] = new RegExp(`^/beacon/02-00-00-00-00-01/${stage}\\?bytes=(\\d+)$`).exec(line) ?? []
    return bytes === undefined ? [] : [Number(bytes)]
  })
}

interface Run extends Omit<FetchSquashfs, 'cmdline'> {
  readonly words?: readonly string[]
}

/** Runs the script with the command line of a boot script, after parameters of an operator's own. */
function run(t: Test, base: string, { words, ...more }: Run = {}) {
  const own = [`pilotlight.squashfs_sha256=${SHA256}`, `pilotlight.squashfs_bytes=${ROOT_BYTES}`]
  const cmdline = [
    'init=/init pilotlight.squashfs=http://192.0.2.1/an-operators-own',
    `pilotlight.squashfs=${base}/images/1/root.squashfs`,
    ...(words ?? own),
    `pilotlight.url=${base} pilotlight.mac=02-00-00-00-00-01`,
  ].join(' ')
  return runFetchSquashfs(t, { cmdline, ...more })
}

t.test('the file is fetched once, compared, and the server is told', { skip }, async (t) => {
  const { asked, base } = await serve(t)
  const { code, output, root } = await run(t, base)
  t.equal(code, 0, output)
  t.ok(root?.equals(ROOT))
  t.strictSame(asked, [
    '/images/1/root.squashfs',
    `/beacon/02-00-00-00-00-01/squashfs-loaded?bytes=${ROOT_BYTES}`,
  ])
})

t.test('a transfer that breaks off or falls silent goes on where it was', { skip }, async (t) => {
  const { asked, base } = await serve(t, (request, response, turn) => {
    if (turn === 1) breakOff(response, ROOT.subarray(0, 1_000_000), 'hangs-up')
    else if (turn === 2 && request.headers.range === 'bytes=1000000-') {
      response.writeHead(206, { 'content-length': 2_000_000 })
      response.write(ROOT.subarray(1_000_000, 1_500_000))
    } else sendRoot(request, response)
  })
  const { code, output, root } = await run(t, base, { env: { PILOTLIGHT_PATIENCE_SECONDS: '2' } })
  t.equal(code, 0, output)
  t.ok(root?.equals(ROOT))
  t.match(output, /stopped after 1000000 of 3000000 bytes \(connection closed prematurely\); going on/)
  t.match(output, /stopped after 1500000 of 3000000 bytes \(no byte came for 2 s\)/)
  t.strictSame(
    asked.filter((line) => line.startsWith('/images')),
    ['', ' bytes=1000000-', ' bytes=1500000-'].map((range) => `/images/1/root.squashfs${range}`),
  )
})

t.test('a server that knows no Range sends it from the beginning', { skip }, async (t) => {
  const { base } = await serve(t, (_request, response, turn) => {
    if (turn === 1) breakOff(response, ROOT.subarray(0, 1_000_000), 'hangs-up')
    else response.writeHead(200, { 'content-length': ROOT_BYTES }).end(ROOT)
  })
  const { code, output, root } = await run(t, base)
  t.equal(code, 0, output)
  t.ok(root?.equals(ROOT))
})

t.test('a server without room is asked again', { skip }, async (t) => {
  const { asked, base } = await serve(t, (request, response, turn) => {
    if (turn < 20) response.writeHead(503, { 'retry-after': '5' }).end('place 3 in the line\n')
    else sendRoot(request, response)
  })
  const { code, output } = await run(t, base)
  t.equal(code, 0, output)
  t.equal(asked.filter((line) => line.startsWith('/images')).length, 20)
  t.equal(output.match(/no room for another transfer yet/g)?.length, 2, 'said now and then')
  t.strictSame(toldOf(asked, 'squashfs-waiting'), [0, 0], 'and the server is told as often')
})

t.test('what the server hears while a transfer runs', { skip, jobs: 3 }, async (t) => {
  t.test('a slow transfer: the server hears how far it is, now and then, and its end last', async (t) => {
    const { asked, base } = await serve(t, sendSlowly)
    const { code, output, root } = await run(t, base, { env: { PILOTLIGHT_TELL_SECONDS: '2' } })
    t.equal(code, 0, output)
    t.ok(root?.equals(ROOT))
    const told = toldOf(asked, 'squashfs-progress')
    t.ok(told.length >= 1 && told.length <= 2, `5 s, every 2 s: ${told}`)
    t.ok(
      told.every((bytes, at) => bytes > (told[at - 1] ?? 0) && bytes < ROOT_BYTES),
      'more each time',
    )
    t.match(asked.at(-1), /squashfs-loaded/)
    t.equal(asked.length, 2 + told.length, 'and nothing else is asked')
  })

  t.test('one that stands still tells nothing, and one that breaks off goes on telling', async (t) => {
    const { asked, base } = await serve(t, (request, response, turn) => {
      if (turn === 1) breakOff(response, ROOT.subarray(0, 1_000_000), 'falls-silent')
      else sendSlowly(request, response)
    })
    const env = { PILOTLIGHT_TELL_SECONDS: '1', PILOTLIGHT_PATIENCE_SECONDS: '4' }
    const { code, output, root } = await run(t, base, { env })
    t.equal(code, 0, output)
    t.ok(root?.equals(ROOT))
    const told = toldOf(asked, 'squashfs-progress')
    t.equal(told.filter((bytes) => bytes === 1_000_000).length, 1, `${told}`)
    t.ok((told.at(-1) ?? 0) > 1_000_000)
  })

  t.test('a server that does not answer what it is told keeps no transfer up', async (t) => {
    const { asked, base } = await serve(t, sendSlowly, true)
    const { code, output, root } = await run(t, base, { env: { PILOTLIGHT_TELL_SECONDS: '1' } })
    t.equal(code, 0, output)
    t.ok(root?.equals(ROOT))
    t.ok(toldOf(asked, 'squashfs-progress').length > 0)
    t.equal(asked.filter((line) => line.startsWith('/images')).length, 1)
  })
})

t.test('wrong bytes once, as of a cache that was mended, are fetched anew', { skip }, async (t) => {
  const { base } = await serve(t, (request, response, turn) => {
    if (turn === 1) response.writeHead(200, { 'content-length': ROOT_BYTES }).end(wrongByte())
    else sendRoot(request, response)
  })
  const { code, output, root } = await run(t, base)
  t.equal(code, 0, output)
  t.match(output, /is not the image's: its SHA-256 is [0-9a-f]{64}, want [0-9a-f]{64}; fetching it once more/)
  t.ok(root?.equals(ROOT))
})

t.test(
  'without length and hash on the command line what comes is taken, and that is said',
  { skip },
  async (t) => {
    const { base } = await serve(t)
    const { code, output, root } = await run(t, base, { words: [] })
    t.equal(code, 0, output)
    t.match(output, /no pilotlight\.squashfs_sha256= to compare it with/)
    t.ok(root?.equals(ROOT))
  },
)

t.test('no pilotlight.squashfs= at all: nothing to do', { skip }, async (t) => {
  const { asked, base } = await serve(t)
  const empty = path.join(os.tmpdir(), `no-squashfs-${process.pid}`)
  writeFileSync(empty, 'init=/init pilotlight.squashfs_bytes=3\n')
  t.teardown(() => rmSync(empty))
  t.match(await run(t, base, { env: { PILOTLIGHT_CMDLINE: empty } }), { code: 2, output: '' })
  t.strictSame(asked, [])
})

const OTHER = `pilotlight.squashfs_sha256=${'0'.repeat(64)}`
const LENGTH = `pilotlight.squashfs_bytes=${ROOT_BYTES}`
/** What is wrong, the word that the server is told, and the sentence on the console. */
const HOPELESS: readonly (readonly [string, string, RegExp, Run, Answer?])[] = [
  ['404', 'refused', /server returned error: HTTP\/1\.1 404/, {}, (_, to) => to.writeHead(404).end('x\n')],
  ['410, withdrawn', 'refused', /error: HTTP\/1\.1 410/, {}, (_, to) => to.writeHead(410).end('x\n')],
  [
    '500 for ever',
    'unreachable',
    /does not come: server returned error: HTTP\/1\.1 500/,
    {},
    (_, to) => to.writeHead(500).end(),
  ],
  ['another hash', 'wrong-sha256', /its SHA-256 is [0-9a-f]{64}, want 0{64}/, { words: [OTHER, LENGTH] }],
  [
    'shorter',
    'wrong-size',
    /has 3000000 bytes, the image's has 3000001/,
    { words: ['pilotlight.squashfs_bytes=3000001'] },
  ],
  [
    'longer',
    'wrong-size',
    /has 3000000 bytes, the image's has 2999999/,
    { words: ['pilotlight.squashfs_bytes=2999999'] },
  ],
  ['too little RAM', 'no-memory', /has 2 MiB, and 9 MiB of RAM are free, want 26/, { freeKib: 10_000 }],
  [
    'no room for ever',
    'busy',
    /is not given out: server returned error: HTTP\/1\.1 503/,
    { env: { PILOTLIGHT_MAX_WAITS: '3' } },
    (_, to) => to.writeHead(503).end(),
  ],
  [
    'always broken off',
    'unreachable',
    /connection closed prematurely/,
    { env: { PILOTLIGHT_MAX_TRIES: '3' } },
    (_, to) => breakOff(to, ROOT.subarray(0, 1000), 'hangs-up'),
  ],
  ['no URL', 'wrong-url', /is no http:\/\/ or https:\/\/ URL/, { words: ['pilotlight.squashfs=ftp://x/y'] }],
  ['no number', 'wrong-url', /squashfs_bytes=12x is no number/, { words: ['pilotlight.squashfs_bytes=12x'] }],
]

t.test(
  'what cannot be had is said on the console and to the server, and nothing is left',
  { skip, jobs: 4 },
  async (t) => {
    for (const [what, word, sentence, how, answer] of HOPELESS) {
      t.test(what, async (t) => {
        const { asked, base } = await serve(t, answer)
        const { code, output, root } = await run(t, base, how)
        t.equal(code, 1, output)
        t.match(output, sentence)
        t.match(output, /^pilotlight: no root filesystem: /m)
        t.match(
          asked.at(-1),
          new RegExp(`^/beacon/02-00-00-00-00-01/squashfs-failed\\?why=${word}&bytes=\\d+$`),
        )
        t.equal(root, undefined)
      })
    }
  },
)

function wrongByte(): Buffer {
  const wrong = Buffer.from(ROOT)
  wrong.writeUInt8(wrong.readUInt8(2_000_000) ^ 1, 2_000_000)
  return wrong
}
