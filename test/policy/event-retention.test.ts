import t from 'tap'
import { decideTrim, type KeptEvent } from '../../src/policy/event-retention.ts'
import { NOW } from '../support/builders.ts'

const DAY = 86_400_000
const RETENTION = { keepDays: 30, keepCount: 1000 }

function anEvent(seq: number, changes: Partial<KeptEvent> = {}): KeptEvent {
  const usual = { atMs: NOW - 31 * DAY, type: 'machine.discovered', saysBy: false, isOfOpenBoot: false }
  return { seq, ...usual, ...changes }
}

const recent = { atMs: NOW - 29 * DAY }

const CASES: readonly (readonly [
  what: string,
  events: readonly KeptEvent[],
  lastSeq: number,
  dropped: readonly number[],
  goesOnAfter: number | undefined,
])[] = [
  ['an empty feed', [], 0, [], undefined],
  ['all are old: it looks on', [anEvent(1), anEvent(2)], 2, [1, 2], 2],
  ['the last of the time: it has seen all', [anEvent(1), anEvent(2, recent)], 2, [1], undefined],
  ['exactly as old as may be', [anEvent(1, { atMs: NOW - 30 * DAY })], 1, [], undefined],
  ['too many, though recent', [1, 2, 3].map((seq) => anEvent(seq, recent)), 1002, [1, 2], undefined],
  ['an operator did it', [anEvent(1, { saysBy: true }), anEvent(2)], 2, [2], 2],
  ['it happened to a cluster', [anEvent(1, { type: 'cluster.founded' }), anEvent(2)], 2, [2], 2],
  ['its boot goes on', [anEvent(1, { isOfOpenBoot: true }), anEvent(2)], 2, [2], 2],
  ['nothing but what is kept for ever', [anEvent(7, { saysBy: true })], 9000, [], 7],
]

for (const [what, events, lastSeq, dropped, goesOnAfter] of CASES) {
  t.test(what, async (t) => {
    const { reply, effects } = decideTrim({ nowMs: NOW, lastSeq, events }, RETENTION)
    t.same(effects, dropped.length === 0 ? [] : [{ kind: 'drop-events', seqs: dropped }])
    t.equal(reply, goesOnAfter)
  })
}
