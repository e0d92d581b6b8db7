import http from 'node:http'
import net from 'node:net'
import t, { type Test } from 'tap'
import { FileDelivery } from '../../../../src/servers/http/file-delivery.ts'
import { BootWorld } from '../../../support/boot-world.ts'

const IMAGE = '/images/abcdef0123456789'
const SIZES = { bzImage: 300_000, initrd: 1_500_000, 'root.squashfs': 0 }

async function setUp(t: Test, limits: ConstructorParameters<typeof FileDelivery>[0] = {}) {
  const world = new BootWorld()
  world.delivery = new FileDelivery(limits)
  t.teardown(() => world.close())
  const loaders = world.addLoaders({ 'snponly.efi': 70_000, 'undionly.kpxe': 74_213 })
  const { image, bytes } = await world.addImage(SIZES)
  await world.serveBoot()
  const initrd = bytes.get('initrd') ?? Buffer.alloc(0)
  const etag = `"${image.files.find(({ name }) => name === 'initrd')?.sha256}"`
  return { world, loaders, bytes, initrd, etag }
}

t.test('a whole file: exact length, strong tag, nothing chunked, compressed or redirected', async (t) => {
  const { world, bytes, initrd, etag } = await setUp(t)
  const answer = await world.ask(1, `${IMAGE}/initrd`, { headers: { 'accept-encoding': 'gzip, br, zstd' } })
  t.equal(answer.status, 200)
  t.ok(answer.body.equals(initrd))
  t.match(answer.headers, {
    'content-length': '1500000',
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    etag,
    'last-modified': /GMT$/,
  })
  for (const header of ['transfer-encoding', 'content-encoding', 'location'])
    t.notOk(answer.headers[header], header)
  const empty = await world.ask(1, `${IMAGE}/root.squashfs`)
  t.match(empty, { status: 200, headers: { 'content-length': '0' } })
  t.ok((await world.ask(1, `${IMAGE}/bzImage`)).body.equals(bytes.get('bzImage') ?? Buffer.alloc(0)))
})

t.test(
  'a loader is application/efi without parameters, else firmware does not know what it is',
  async (t) => {
    const { world, loaders } = await setUp(t)
    const efi = await world.ask(1, '/assets/snponly.efi')
    t.equal(efi.headers['content-type'], 'application/efi')
    t.ok(efi.body.equals(loaders.get('snponly.efi') ?? Buffer.alloc(0)))
    t.equal((await world.ask(1, '/assets/undionly.kpxe')).headers['content-type'], 'application/octet-stream')
    const part = await world.ask(1, '/assets/snponly.efi', { headers: { range: 'bytes=69990-' } })
    t.match(part, { status: 206, headers: { 'content-range': 'bytes 69990-69999/70000' } })
  },
)

t.test('HEAD is GET without the body, and is no boot', async (t) => {
  const { world, etag } = await setUp(t)
  await world.fetchScript(1)
  const head = await world.ask(1, `${IMAGE}/initrd`, { method: 'HEAD', headers: { range: 'bytes=0-9' } })
  t.match(head, { status: 200, headers: { 'content-length': '1500000', etag } })
  t.equal(head.body.length, 0)
  await world.events()
  t.equal(world.store.lists.attempts.latestOf('m1')?.stage, 'script-sent')
  await world.ask(1, `${IMAGE}/initrd`)
  t.equal(await world.stageOnce('m1', 'initrd-sent'), 'initrd-sent')
})

t.test('one range, the end, and what is beyond it', async (t) => {
  const { world, initrd } = await setUp(t)
  const cases: readonly [range: string, first: number, last: number][] = [
    ['bytes=0-0', 0, 0],
    ['bytes=262143-262144', 262_143, 262_144],
    ['bytes=100000-1400000', 100_000, 1_400_000],
    ['bytes=-5', 1_499_995, 1_499_999],
    ['bytes=1499999-', 1_499_999, 1_499_999],
  ]
  for (const [range, first, last] of cases) {
    const answer = await world.ask(1, `${IMAGE}/initrd`, { headers: { range } })
    t.match(answer, {
      status: 206,
      headers: { 'content-range': `bytes ${first}-${last}/1500000`, 'content-length': `${last - first + 1}` },
    })
    t.ok(answer.body.equals(initrd.subarray(first, last + 1)), range)
  }
  const beyond = await world.ask(1, `${IMAGE}/initrd`, { headers: { range: 'bytes=1500000-' } })
  t.match(beyond, { status: 416, headers: { 'content-range': 'bytes */1500000' } })
})

t.test('RFC 9110 §15.3.7.2: several ranges in one multipart body of a known length', async (t) => {
  const { world, initrd } = await setUp(t)
  const answer = await world.ask(1, `${IMAGE}/initrd`, { headers: { range: 'bytes=1000000-1000009,0-4,-3' } })
  t.equal(answer.status, 206)
  t.equal(answer.headers['content-length'], `${answer.body.length}`)
  t.notOk(answer.headers['content-range'])
  const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(answer.headers['content-type'] ?? '')?.[1]
  const parts = answer.body
    .toString('latin1')
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => part.split('\r\n\r\n'))
  t.strictSame(
    parts.map(([head, ...body]) => [
      /Content-Range: (.*)/.exec(head ?? '')?.[1],
      body.join('\r\n\r\n').replace(/\r\n$/, ''),
    ]),
    [
      ['bytes 1000000-1000009/1500000', initrd.toString('latin1', 1_000_000, 1_000_010)],
      ['bytes 0-4/1500000', initrd.toString('latin1', 0, 5)],
      ['bytes 1499997-1499999/1500000', initrd.toString('latin1', 1_499_997)],
    ],
  )
})

t.test('conditions: resume only what is the same file', async (t) => {
  const { world, etag } = await setUp(t)
  const ask = async (headers: Record<string, string>) =>
    (await world.ask(1, `${IMAGE}/initrd`, { headers })).status
  t.equal(await ask({ range: 'bytes=5-', 'if-match': etag }), 206)
  t.equal(await ask({ range: 'bytes=5-', 'if-match': '"other"' }), 412)
  t.equal(await ask({ range: 'bytes=5-', 'if-range': etag }), 206)
  t.equal(await ask({ range: 'bytes=5-', 'if-range': '"other"' }), 200)
  t.equal(await ask({ 'if-none-match': etag }), 304)
  t.equal(await ask({ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }), 412)
})

t.test('a hundred machines at once get the file bit for bit, and the disk is read once', async (t) => {
  const { world, initrd } = await setUp(t)
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => world.ask(1 + (Math.random() > 0.5 ? 1 : 0), `${IMAGE}/initrd`)),
  )
  const whole = answers.filter(({ status }) => status === 200)
  t.ok(whole.length >= 32, 'sixteen of each address at once')
  t.ok(whole.every(({ body }) => body.equals(initrd)))
  t.ok(
    answers.every(
      ({ status, headers }) => status === 200 || (status === 503 && Number(headers['retry-after']) >= 1),
    ),
  )
  t.equal(world.delivery.counters().cache_misses, 6)
  t.equal(world.delivery.streams.running, 0)
})

t.test('without a cache the bytes are the same', async (t) => {
  const { world, initrd } = await setUp(t, { cacheBytes: 0 })
  const answers = await Promise.all(Array.from({ length: 12 }, () => world.ask(1, `${IMAGE}/initrd`)))
  t.ok(answers.every(({ body }) => body.equals(initrd)))
})

t.test(
  'a machine that must wait hears its place and when to ask again, and its token lives on',
  async (t) => {
    const { world, initrd } = await setUp(t, { maxStreams: 1 })
    const { token } = await world.fetchScript(2)
    const slow = net.connect({ host: world.address, port: 8080, localAddress: world.addressOf(1) })
    slow.write(`GET ${IMAGE}/initrd HTTP/1.1\r\nHost: x\r\n\r\n`)
    await new Promise((resolve) => slow.once('readable', resolve))
    slow.pause()
    world.passTime(14 * 60_000)
    const waits = await world.ask(2, `${IMAGE}/initrd`)
    t.equal(waits.status, 503)
    t.match(waits.body.toString(), 'place 1 in the line')
    t.ok(Number(waits.headers['retry-after']) >= 1)
    t.notOk(waits.headers.etag)
    slow.destroy()
    while (world.delivery.streams.running > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    t.ok((await world.ask(2, `${IMAGE}/initrd`)).body.equals(initrd))
    world.passTime(14 * 60_000)
    t.equal(
      (await world.redeem(2, token)).status,
      200,
      '28 minutes old, and image bytes moved 14 minutes ago',
    )
  },
)

t.test('a token ends 2 h after its minting, however long image bytes move', async (t) => {
  const { world } = await setUp(t)
  const { token } = await world.fetchScript(1)
  for (let n = 0; n < 8; n += 1) {
    world.passTime(14 * 60_000)
    await world.ask(1, `${IMAGE}/initrd`)
    await world.events()
  }
  world.passTime(8 * 60_000)
  t.equal((await world.redeem(1, token)).status, 401)
})

t.test('a reader that takes nothing is cut, and its place is free again', async (t) => {
  const { world } = await setUp(t, { patience: { windowMs: 300, minBytes: 1 } })
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const dead = net.connect({ host: world.address, port: 8080, localAddress: world.addressOf(1) })
  const closed = new Promise((resolve) => dead.once('close', resolve))
  dead.on('error', () => undefined)
  // Asks for far more than the kernel keeps for it, in one connection, and reads nothing.
  dead.write(`GET ${IMAGE}/initrd HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(20))
  dead.pause()
  while (world.delivery.streams.running === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  while (world.delivery.streams.running > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  dead.resume()
  await closed
  await world.events()
  t.match(
    world.logged.filter(({ msg }) => msg === 'file sent').at(-1),
    { whole: false },
    'and the boot attempt knows that it broke off',
  )
})

t.test('hostile names: nothing outside the lists is ever read', async (t) => {
  const { world } = await setUp(t)
  const names = [
    '../../../../etc/passwd',
    '..%2f..%2f..%2fetc%2fpasswd',
    '%2e%2e/%2e%2e/etc/passwd',
    '..%5c..%5cetc%5cpasswd',
    '%252e%252e%252fetc%252fpasswd',
    '..%c0%af..%c0%afetc/passwd',
    '%e0%80%ae%e0%80%ae/etc/passwd',
    '....//....//etc/passwd',
    'initrd%00.efi',
    'initrd%00',
    '.',
    '..',
    '%2e%2e',
    '%',
    '%zz',
    'INITRD/',
    'initrd/../../manifest.json',
    '\u2025/etc',
    encodeURIComponent('\uff0e\uff0e\uff0fetc'),
    'x'.repeat(8000),
    '__proto__',
    'constructor',
    'manifest.json',
  ]
  for (const prefix of [`${IMAGE}/`, '/assets/', '/images/', '/images/%2e%2e/', '/boot/']) {
    for (const name of names) {
      const { status, body } = await raw(world, `${prefix}${Buffer.from(name, 'utf8').toString('latin1')}`)
      t.ok(status >= 400 && status < 500, `${prefix}${name.slice(0, 50)}: ${status}`)
      t.notMatch(body, /root:|sha256|BEGIN/)
    }
  }
})

/** A request with its target as it is: no client library tidies it up. */
async function raw(world: BootWorld, target: string): Promise<{ status: number; body: string }> {
  const socket = net.connect({ host: world.address, port: 8080, localAddress: world.addressOf(1) })
  socket.on('error', () => undefined)
  socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'latin1'))
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('latin1')
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), body: text }
}
