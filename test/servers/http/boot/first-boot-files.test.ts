import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { BootWorld } from '../../../support/boot-world.ts'

const FIRST_BOOT = new URL('../../../../boot-assets/first-boot', import.meta.url).pathname

t.test('the node-side scripts, and nothing beside them', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveBoot()
  const answer = await world.ask(1, '/first-boot/lib.sh')
  t.equal(answer.status, 200)
  t.ok(answer.body.equals(readFileSync(path.join(FIRST_BOOT, 'lib.sh'))))
  t.equal(answer.headers['content-length'], String(answer.body.length))
  for (const hostile of [
    '/first-boot/../../package.json',
    '/first-boot/%2e%2e/%2e%2e/package.json',
    '/first-boot/..%2f..%2fpackage.json',
    '/first-boot/..%5c..%5cpackage.json',
    '/first-boot/%00',
    '/first-boot/',
    '/first-boot/.hidden',
    `/first-boot/${'x'.repeat(4000)}`,
  ]) {
    const refused = await world.ask(1, hostile)
    t.ok(refused.status >= 400 && refused.status < 500, `${hostile.slice(0, 40)}: ${refused.status}`)
    t.notMatch(refused.body.toString(), /pilotlight"/)
  }
})

t.test('a beacon is a line in the log; what it says is escaped there', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.addMachines(1)
  await world.serveBoot()
  const answer = await world.ask(1, '/beacon/02-00-00-00-00-01/kernel%1b%5bsent')
  t.equal(answer.status, 200)
  t.equal(answer.body.toString(), '#!ipxe\n')
  t.match(world.logged, [{ msg: 'boot script beacon', stage: 'kernel\\x1b[sent' }])
  t.equal((await world.ask(1, '/beacon/nonsense/kernel')).status, 404)
  t.match(world.store.lists.machines.byId('m1'), { state: 'armed' })
})
