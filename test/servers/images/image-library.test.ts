import { readdirSync } from 'node:fs'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { writeTarHeader } from '../../../src/servers/images/tar-header.ts'
import { BootWorld } from '../../support/boot-world.ts'

t.test('a stop ends imports that run, and waits until they left nothing behind', async (t) => {
  const world = new BootWorld()
  t.teardown(() => world.close())
  await world.images.open()
  let hasBegun: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    hasBegun = resolve
  })
  async function* withoutEnd() {
    yield writeTarHeader('initrd', 2 ** 30)
    for (let sent = 0; sent < 2 ** 30; sent += 512) {
      yield Buffer.alloc(512)
      await turn()
      if (sent > 10_000) hasBegun()
    }
  }
  const source = { kind: 'archive', archive: withoutEnd() } as const
  const request = { name: 'worker', promotes: false, by: 'test' }
  const refused = t.rejects(world.images.import(source, request), { code: 'stopping', status: 503 })
  await begun
  await world.images.close()
  t.strictSame(readdirSync(path.join(world.directory, 'data', 'images', 'staging')), [])
  await refused
  await t.rejects(world.images.import(source, request), { code: 'stopping' }, 'and none begins')
})
