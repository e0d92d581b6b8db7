import t from 'tap'
import { type Admission, StreamQueue } from '../../../src/servers/http/stream-queue.ts'

function leave(admission: Admission): void {
  if (admission.kind !== 'admitted') throw new Error(`waits at ${admission.place}`)
  admission.leave()
}

t.test(
  'who comes when all places are taken stands in line, and goes in the order in which it came',
  async (t) => {
    const queue = new StreamQueue(2)
    const first = queue.admit('a', 0)
    queue.admit('b', 0)
    t.match(queue.admit('c', 0), { kind: 'waits', place: 1 })
    t.match(queue.admit('d', 0), { kind: 'waits', place: 2 })
    t.match(queue.admit('c', 1), { kind: 'waits', place: 1 }, 'asking again keeps the place')
    leave(first)
    t.match(queue.admit('d', 2), { kind: 'waits', place: 1 }, 'the first in line comes before')
    t.match(queue.admit('e', 2), { kind: 'waits', place: 2 })
    t.match(queue.admit('c', 3), { kind: 'admitted' })
    t.equal(queue.running, 2)
  },
)

t.test('iPXE is never told to come back at once', async (t) => {
  const queue = new StreamQueue(1)
  queue.admit('a', 0)
  for (let n = 0; n < 50; n += 1) {
    const admission = queue.admit(`w${n}`, 0)
    t.ok(admission.kind === 'waits' && admission.retryAfterSeconds >= 1 && admission.retryAfterSeconds <= 15)
  }
})

t.test('who does not ask again loses its place', async (t) => {
  const queue = new StreamQueue(1)
  const first = queue.admit('a', 0)
  queue.admit('gone', 0)
  queue.admit('b', 20_000)
  leave(first)
  t.match(queue.admit('b', 29_000), { kind: 'waits', place: 1 })
  t.match(queue.admit('b', 31_000), { kind: 'admitted' })
})

t.test('leaving twice frees one place', async (t) => {
  const queue = new StreamQueue(2)
  const first = queue.admit('a', 0)
  queue.admit('b', 0)
  leave(first)
  leave(first)
  t.equal(queue.running, 1)
})

t.test('one machine takes at most 16 places', async (t) => {
  const queue = new StreamQueue(100)
  for (let n = 0; n < 16; n += 1) t.match(queue.admit('greedy', 0), { kind: 'admitted' })
  t.match(queue.admit('greedy', 0), { kind: 'waits' })
  t.match(queue.admit('other', 0), { kind: 'admitted' })
})
