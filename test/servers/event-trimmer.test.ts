import pino from 'pino'
import t from 'tap'
import type { NewEvent } from '../../src/model/event.ts'
import type { Effect } from '../../src/policy/effect.ts'
import { EventTrimmer } from '../../src/servers/event-trimmer.ts'
import type { Store } from '../../src/store/store.ts'
import { aMachine, anAttempt } from '../support/builders.ts'
import { openStore, scratchDir, settled, TestClocks } from '../support/store-world.ts'

const DAY = 86_400_000
const RETENTION = { keepDays: 30, keepCount: 1_000_000 }

function carryOut(store: Store, effects: readonly Effect[]) {
  return store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects }),
  )
}

function append(event: Partial<NewEvent>): Effect {
  return { kind: 'append-event', event: { atMs: 0, type: 'test', data: {}, ...event } }
}

async function setUp(t: Parameters<typeof openStore>[0]) {
  const clocks = new TestClocks()
  const dataDir = scratchDir(t)
  const store = openStore(t, dataDir, clocks)
  const trimmer = new EventTrimmer({ store, log: pino({ level: 'silent' }), retention: RETENTION })
  t.teardown(() => trimmer.stop())
  const types = () => store.lists.events.after(0, 5000).map(({ type }) => type)
  return { clocks, dataDir, store, trimmer, types }
}

t.test('a sweep takes batch after batch, and leaves the audit and the boots that go on', async (t) => {
  const { clocks, store, trimmer, types } = await setUp(t)
  const atMs = store.nowMs()
  const { clusterId: _, imageId: __, ...machine } = aMachine()
  await carryOut(store, [
    { kind: 'put-machine', machine },
    { kind: 'begin-attempt', attempt: anAttempt() },
    ...Array.from({ length: 450 }, () => append({ atMs })),
    append({ atMs, type: 'machine.held', data: { by: 'anna' } }),
    append({ atMs, type: 'cluster.founded' }),
    append({ atMs, type: 'open', bootId: 'b1' }),
    append({ atMs, type: 'long-over', bootId: 'b0' }),
  ])
  clocks.pass(31 * DAY)
  await carryOut(store, [append({ atMs: store.nowMs(), type: 'recent' })])
  await trimmer.sweep()
  t.same(types(), ['machine.held', 'cluster.founded', 'open', 'recent'])
  t.equal(store.lists.events.droppedTo(), 454, 'the highest that went')

  await carryOut(store, [{ kind: 'end-attempt', bootId: 'b1', end: 'ready', atMs: store.nowMs() }])
  await trimmer.sweep()
  t.same(types(), ['machine.held', 'cluster.founded', 'recent'], 'the boot has ended since')
  t.equal(store.lists.events.droppedTo(), 454, 'and a lower one that goes later does not take it back')
})

t.test('when all are gone their numbers do not come again, nor after a restart', async (t) => {
  const { clocks, dataDir, store, trimmer, types } = await setUp(t)
  await carryOut(
    store,
    [1, 2, 3].map(() => append({ atMs: store.nowMs() })),
  )
  clocks.pass(31 * DAY)
  await trimmer.sweep()
  await settled()
  t.same(types(), [])
  t.equal(store.lists.events.lastSeq(), 3)
  store.close()
  const again = openStore(t, dataDir, clocks)
  t.equal(again.lists.events.droppedTo(), 3)
  await carryOut(again, [append({ atMs: again.nowMs(), type: 'next' })])
  t.match(again.lists.events.after(3, 10), [{ seq: 4, type: 'next' }])
})

t.test('a sweep that is stopped leaves the rest for the next', async (t) => {
  const { clocks, store, trimmer, types } = await setUp(t)
  await carryOut(
    store,
    Array.from({ length: 450 }, () => append({ atMs: store.nowMs() })),
  )
  clocks.pass(31 * DAY)
  trimmer.start()
  await trimmer.stop()
  await settled()
  t.equal(types().length, 250, 'one batch went')
})
