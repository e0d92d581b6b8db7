import fc from 'fast-check'
import t from 'tap'
import { ServerTime } from '../../src/store/server-time.ts'
import { NOW } from '../support/builders.ts'
import { openStore, scratchDir, settled, TestClocks } from '../support/store-world.ts'

t.test('it begins at the wall clock, or at the last time on record if that is later', async (t) => {
  const clocks = new TestClocks()
  t.equal(new ServerTime(0, () => undefined, clocks).nowMs(), NOW)
  t.equal(new ServerTime(NOW - 60_000, () => undefined, clocks).nowMs(), NOW)
  t.equal(new ServerTime(NOW + 60_000, () => undefined, clocks).nowMs(), NOW + 60_000)
})

t.test('it never runs backwards, whatever the wall clock does', async (t) => {
  const moves = fc.array(fc.tuple(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: -1e9, max: 1e9 })))
  fc.assert(
    fc.property(moves, fc.integer({ min: -1e6, max: 1e6 }), (steps, head) => {
      const clocks = new TestClocks()
      const time = new ServerTime(NOW + head, () => undefined, clocks)
      let last = time.nowMs()
      for (const [ms, stepMs] of steps) {
        clocks.pass(ms)
        clocks.wall += stepMs
        const now = time.nowMs()
        if (now !== last + ms) return false
        last = now
      }
      return true
    }),
  )
  t.pass()
})

t.test('a step of the wall clock over 5 s is told once and not followed', async (t) => {
  const clocks = new TestClocks()
  const steps: number[] = []
  const time = new ServerTime(0, (stepMs) => steps.push(stepMs), clocks)
  clocks.wall += 4_900
  t.equal(time.nowMs(), NOW)
  t.same(steps, [], 'a small one is drift')
  clocks.wall += 3_600_000
  t.equal(time.nowMs(), NOW)
  time.nowMs()
  t.same(steps, [3_604_900])
  clocks.wall -= 7_200_000
  t.equal(time.nowMs(), NOW)
  t.same(steps, [3_604_900, -7_200_000])
})

t.test('the store tells of a step in its event feed', async (t) => {
  const clocks = new TestClocks()
  const store = openStore(t, scratchDir(t), clocks)
  clocks.wall -= 60_000
  await store.noteTime()
  await settled()
  const events = store.lists.events.after(0, 10)
  t.match(events, [{ type: 'clock.stepped', atMs: NOW, data: { step_ms: -60_000 } }])
})

t.test('a wall clock that is behind the last time on record is told of at the start', async (t) => {
  const dataDir = scratchDir(t)
  const clocks = new TestClocks()
  openStore(t, dataDir, clocks).close()
  const later = new TestClocks()
  later.wall = NOW - 3_600_000
  const store = openStore(t, dataDir, later)
  t.equal(store.nowMs(), NOW)
  await settled()
  t.match(store.lists.events.after(0, 10), [{ type: 'clock.stepped', data: { step_ms: -3_600_000 } }])
})
