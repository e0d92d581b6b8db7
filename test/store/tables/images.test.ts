import t from 'tap'
import { aMachine, anAttempt, anImage, NOW } from '../../support/builders.ts'
import { openTables, type Teardown } from '../../support/store-world.ts'

const FOREIGN_KEY = { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' }

function setUp(t: Teardown) {
  const { tables } = openTables(t)
  tables.images.put(anImage())
  tables.images.put(
    anImage({ id: 'i2', version: '2', files: [{ name: 'initrd', role: 'initrd', bytes: 20, sha256: 'bb' }] }),
  )
  const { clusterId: _, ...machine } = aMachine()
  return { ...tables, machine }
}

const version = (name: string, version: string, imageId: string) => ({
  name,
  version,
  imageId,
  createdAtMs: NOW,
})

t.test('an image never changes: the same id put again changes nothing; its state may', async (t) => {
  const { images } = setUp(t)
  images.put(anImage({ init: '/another', state: 'retired' }))
  t.same(images.byId('i1'), anImage())
  images.setState('i1', 'withdrawn', 'initrd is damaged')
  t.same(images.byId('i1'), anImage({ state: 'withdrawn', stateReason: 'initrd is damaged' }))
  images.setState('i1', 'available', undefined)
  t.same(images.byId('i1'), anImage())
  t.throws(() => images.setState('i1', 'lost' as never, undefined), { code: 'SQLITE_CONSTRAINT_CHECK' })
  t.throws(() => images.put(anImage({ id: 'i3', architecture: 'vax' as never })), {
    code: 'SQLITE_CONSTRAINT_CHECK',
  })
  t.same(
    images.list('i1', 5).map(({ id }) => id),
    ['i2'],
  )
})

t.test('a file is found in every image that holds its bytes', async (t) => {
  const { images } = setUp(t)
  t.same(
    images
      .holding('bb')
      .map(({ id }) => id)
      .sort(),
    ['i1', 'i2'],
  )
  t.same(
    images.holding('aa').map(({ id }) => id),
    ['i1'],
  )
  t.ok(images.holdsFile('aa'))
  t.notOk(images.holdsFile('cc'))
})

t.test('a name and version never come to mean another image', async (t) => {
  const { images } = setUp(t)
  images.putVersion(version('worker', '1', 'i1'))
  images.putVersion(version('worker', '1', 'i2'))
  t.equal(images.version('worker', '1')?.imageId, 'i1')
  images.putVersion(version('alias', '9', 'i1'))
  t.same(
    images.versionsOf('i1').map(({ name, version }) => `${name}:${version}`),
    ['alias:9', 'worker:1'],
  )
  t.ok(images.isName('worker'))
  t.notOk(images.isName('control-plane'), 'a name is one that was imported')
  t.throws(() => images.putVersion(version('worker', '2', 'gone')), FOREIGN_KEY)
})

t.test('the last promotion that was not rolled back counts', async (t) => {
  const { images } = setUp(t)
  const promote = (version: string, imageId: string) =>
    images.promote({ name: 'worker', version, imageId, promotedAtMs: NOW })
  promote('1', 'i1')
  promote('2', 'i2')
  t.equal(images.promoted('worker')?.version, '2')
  images.rollBack(images.promoted('worker')?.seq ?? 0, NOW)
  t.equal(images.promoted('worker')?.version, '1')
  promote('2', 'i2')
  t.same(
    images.promotions('worker').map(({ version }) => version),
    ['2', '1'],
  )
  t.same(images.promotedNames(), ['worker'])
  t.equal(images.promoted('nothing'), undefined)
  t.throws(() => promote('3', 'gone'), FOREIGN_KEY)
})

t.test('an image that a machine is assigned cannot go; with one that goes, go its names', async (t) => {
  const { images, machines, machine } = setUp(t)
  machines.put(machine)
  images.putVersion(version('worker', '2', 'i2'))
  images.promote({ name: 'worker', version: '2', imageId: 'i2', promotedAtMs: NOW })
  t.same(images.machinesOf('i1'), ['node01'])
  t.throws(() => images.delete('i1'), FOREIGN_KEY)
  images.delete('i2')
  t.equal(images.byId('i2'), undefined)
  t.equal(images.version('worker', '2'), undefined)
  t.equal(images.promoted('worker'), undefined)
})

t.test('a boot uses its image while it runs, and while it is what its machine runs', async (t) => {
  const { images, machines, attempts, machine } = setUp(t)
  machines.put({ ...machine, imageName: 'worker' })
  t.same(images.machinesOfName('worker'), ['node01'])
  attempts.begin(anAttempt())
  attempts.pinImage('b1', 'i1')
  t.same(images.bootsOf('i1'), ['b1'])
  attempts.end('b1', 'ready', NOW)
  t.same(images.bootsOf('i1'), [], 'ended, and not the machine’s current one')
  machines.setCurrentBoot('m1', 'b1')
  t.same(images.bootsOf('i1'), ['b1'])
  t.same(images.bootsOf('i2'), [])
})
