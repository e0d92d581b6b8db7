import t from 'tap'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { BootWorld } from '../../support/boot-world.ts'
import { Nginx } from '../../support/nginx.ts'

const SIZE = 5_000_000

t.test('the nginx configuration of the guide, in a real nginx', { timeout: 120_000 }, async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  const front = world.addressOf(90)
  const { bytes } = await world.addImage({ bzImage: 300_000, initrd: SIZE })
  const { base } = await Nginx.start(t, world, front)
  await world.serveBoot({ imageBaseUrl: `${base}/images` })
  const initrd = bytes.get('initrd') ?? Buffer.alloc(0)
  const url = `${base}/images/abcdef0123456789/initrd`

  const { text } = await world.fetchScript(1)
  t.match(text, `initrd --name initrd ${url} `)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => exchange({ url, localAddress: world.addressOf(1) })),
  )
  t.ok(answers.every(({ status, body }) => status === 200 && body.equals(initrd)))
  t.ok(
    answers.every(({ headers }) => headers['content-length'] === `${SIZE}` && !headers['transfer-encoding']),
  )
  const { etag = '' } = answers[0]?.headers ?? {}
  t.match(etag, /^"[0-9a-f]{64}"$/, 'its tag is still the hash')
  const fetched = world.logged.filter(({ msg, file }) => msg === 'file sent' && file === 'initrd')
  t.equal(fetched.length, 1, 'a storm fetches it once')

  const ask = (headers: Record<string, string>, method: 'GET' | 'HEAD' = 'GET') =>
    exchange({ url, headers, method, localAddress: world.addressOf(1) })
  const part = await ask({ range: 'bytes=1000-1999', 'if-range': etag })
  t.equal(part.status, 206)
  t.ok(part.body.equals(initrd.subarray(1000, 2000)))
  t.equal((await ask({}, 'HEAD')).headers['content-length'], `${SIZE}`)
  t.equal((await ask({ 'if-none-match': etag })).status, 304)
  for (const other of [
    '/boot/02-00-00-00-00-01.ipxe',
    '/machines/x/cluster-config.json',
    '/images/../boot.ipxe',
    '/images/%2e%2e/boot.ipxe',
  ])
    t.equal((await exchange({ url: `${base}${other}` })).status, 404, `${other} is not to be had there`)
  t.equal((await exchange({ url: `${base}/images/abcdef0123456789/none` })).status, 404)
  t.equal((await exchange({ url, method: 'POST', body: {} })).status, 403)

  t.equal(world.store.lists.attempts.latestOf('m1')?.stage, 'script-sent', 'what nginx sent is not seen here')
  for (const [, beacon = ''] of text.matchAll(/imgfetch --name beacon \S+?(\/beacon\S+)/g))
    await world.ask(1, beacon)
  await world.events()
  t.equal(world.store.lists.attempts.latestOf('m1')?.stage, 'initrd-sent', 'the script tells of it')
})
