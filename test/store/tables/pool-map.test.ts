import fc from 'fast-check'
import t from 'tap'
import { PoolMap } from '../../../src/store/tables/pool-map.ts'

t.test('whatever was marked and cleared, the rest is found, once around from the offset', async (t) => {
  const pool = fc.record({ first: fc.nat(2 ** 32 - 300), size: fc.integer({ min: 1, max: 200 }) })
  const turns = fc.array(fc.record({ at: fc.integer({ min: -3, max: 203 }), isMarked: fc.boolean() }))
  fc.assert(
    fc.property(pool, turns, fc.nat(2 ** 32 - 1), ({ first, size }, turns, offset) => {
      const map = new PoolMap(first, first + size - 1, [])
      const all = Array.from({ length: size }, (_, index) => first + index)
      const free = new Set(all)
      for (const { at, isMarked } of turns) {
        if (isMarked) map.mark(first + at)
        else map.clear(first + at)
        if (isMarked) free.delete(first + at)
        else if (at >= 0 && at < size) free.add(first + at)
      }
      const start = offset % size
      const inTurn = [...all.slice(start), ...all.slice(0, start)]
      const wanted = inTurn.filter((number) => free.has(number))
      return JSON.stringify([...map.unmarkedFrom(offset)]) === JSON.stringify(wanted)
    }),
  )
  t.pass('for all of them')
})

t.test(
  'of a pool as large as a /15 the one address that is left is found, and none when it is full',
  async (t) => {
    const first = 0x0a640100
    const last = first + 130_810
    const map = new PoolMap(first, last, [])
    for (let number = first + 1; number <= last; number += 1) map.mark(number)
    t.strictSame([...map.unmarkedFrom(7)], [first])
    map.mark(first)
    map.mark(first)
    t.strictSame([...map.unmarkedFrom(7)], [])
    map.clear(last)
    t.strictSame([...map.unmarkedFrom(7)], [last])
  },
)
