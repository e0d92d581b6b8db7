import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { TftpServer } from '../../src/servers/tftp/tftp-server.ts'
import { SelfTest } from '../../src/sim/self-test.ts'
import { BootWorld } from '../support/boot-world.ts'

const FIRST_BOOT = new URL('../../boot-assets/first-boot', import.meta.url).pathname

/** A world that serves all it has, and a self-test that has not begun. */
async function setUp(
  t: Test,
  sizes: Record<string, number> = { bzImage: 10_000, initrd: 300_000 },
  imageBaseUrl?: string,
) {
  const world = new BootWorld()
  t.teardown(() => world.close())
  const loaders = world.addLoaders({ 'snponly.efi': 70_000, 'undionly.kpxe': 5000 })
  const { image } = await world.addImage(sizes)
  await world.serveBoot()
  const tftp = new TftpServer({
    address: world.address,
    port: 0,
    log: world.log,
    find: (name) => world.loaders.find(name),
    admits: () => 'yes',
    limits: { workers: 0 },
  })
  await tftp.start()
  t.teardown(() => tftp.stop(0))
  const selfTest = new SelfTest({
    store: world.store,
    loaders: world.loaders,
    log: world.log,
    links: [
      {
        address: world.address,
        bootUrl: world.bootUrl,
        imageBaseUrl: imageBaseUrl ?? `${world.bootUrl}/images`,
      },
    ],
    tftpPort: tftp.port,
    firstBootDir: FIRST_BOOT,
    readStored: (file, first, length) =>
      world.delivery.readAt({ ...file, path: world.images.pathOf(file.sha256) }, first, length),
  })
  t.teardown(() => selfTest.stop())
  const ended = async (before = 0) => {
    const count = () => world.logged.filter(({ msg }) => msg === 'self-test done').length
    while (count() <= before) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return { world, loaders, image, selfTest, ended }
}

t.test('everything that machines are told of is fetched as they do, and its hash compared', async (t) => {
  const { selfTest, ended } = await setUp(t)
  t.strictSame(selfTest.report, { isDone: false, checks: [] })
  selfTest.start()
  await ended()
  const { isDone, checks } = selfTest.report
  t.ok(isDone)
  t.strictSame(
    checks.filter(({ ok }) => !ok),
    [],
  )
  const names = checks.map(({ name }) => name)
  for (const name of [
    'loader snponly.efi by TFTP',
    'loader snponly.efi by HTTP',
    'loader undionly.kpxe by TFTP',
    'boot script',
    'first-boot script lib.sh',
    'image control-plane 1: bzImage',
    'image control-plane 1: initrd',
  ])
    t.ok(names.includes(name), name)
})

t.test('where another server has the image files, the cure names it', async (t) => {
  const { selfTest, ended } = await setUp(t, undefined, 'http://127.0.0.1:1/images')
  selfTest.start()
  await ended()
  const failed = selfTest.report.checks.filter(({ ok }) => !ok)
  t.equal(failed.length, 2, 'kernel and initrd')
  for (const { detail, cure } of failed) {
    t.match(detail, /ECONNREFUSED/)
    t.match(cure, /boot\.image_base_url is http:\/\/127\.0\.0\.1:1\/images: is that server up/)
    t.notMatch(cure, '; ', 'doctor cuts a line there')
  }
})

t.test('a large image file is hashed on the disk and fetched in samples', { timeout: 90_000 }, async (t) => {
  const { selfTest, ended } = await setUp(t, { bzImage: 1000, initrd: 65 * 1024 * 1024 })
  selfTest.start()
  await ended()
  t.match(
    selfTest.report.checks.find(({ name }) => name.endsWith('initrd')),
    { ok: true, detail: /hashed on the disk, 3 samples fetched/ },
  )
})

t.test('a file that is not as it was imported is told with its cure, by /readyz too', async (t) => {
  const { world, image, selfTest, ended } = await setUp(t)
  const initrd = image.files.find(({ name }) => name === 'initrd')
  writeFileSync(world.images.pathOf(initrd?.sha256 ?? ''), Buffer.alloc(300_000))
  selfTest.start()
  await ended()
  world.selfTest = selfTest.report
  t.match(
    selfTest.report.checks.filter(({ ok }) => !ok),
    [{ name: /initrd/, detail: /has sha256/, cure: /image verify/ }],
  )
  await world.serveOperator()
  const answer = await fetch(`http://${world.address}:8090/readyz`)
  t.equal(answer.status, 503)
  t.match(await answer.json(), {
    ready: false,
    problems: [/initrd: .* has sha256/],
    self_test: { done: true },
  })
})

t.test('after each change of the images it is done again', async (t) => {
  const { world, image, selfTest, ended } = await setUp(t)
  selfTest.start()
  await ended()
  const before = selfTest.report.checks.length
  await world.put({ kind: 'set-image-state', imageId: image.id, state: 'retired', reason: 'test' } as never)
  await ended(1)
  t.equal(selfTest.report.checks.length, before - 2)
})

t.test('while it has not ended the server is not ready', async (t) => {
  const { world } = await setUp(t)
  world.selfTest = { isDone: false, checks: [] }
  await world.serveOperator()
  const answer = await fetch(`http://${world.address}:8090/readyz`)
  t.equal(answer.status, 503)
  t.match(await answer.json(), { problems: ['the self-test has not ended yet'] })
})

t.test('a server that does not answer is a failed check, not an exception', async (t) => {
  const { world, selfTest, ended } = await setUp(t)
  await world.stopServing()
  selfTest.start()
  await ended()
  t.ok(selfTest.report.checks.some(({ ok, detail }) => !ok && /ECONNREFUSED/.test(detail)))
})
