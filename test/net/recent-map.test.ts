import t from 'tap'
import { RecentMap } from '../../src/net/recent-map.ts'

t.test('it never holds more than it may, and keeps what is asked for', async (t) => {
  const map = new RecentMap<number, string>(100)
  map.set(-1, 'asked for')
  for (let key = 0; key < 1000; key += 1) {
    map.set(key, `${key}`)
    t.equal(map.get(-1), 'asked for')
    t.equal(map.get(key), `${key}`, 'the newest is there')
  }
  const kept = Array.from({ length: 1000 }, (_, key) => key).filter((key) => map.get(key) !== undefined)
  t.ok(kept.length <= 100, `${kept.length} are kept`)
  t.ok(kept.length >= 49, `${kept.length} are kept`)
})

t.test('what is deleted or cleared is gone from both generations', async (t) => {
  const map = new RecentMap<number, string>(4)
  for (const key of [1, 2, 3]) map.set(key, 'here')
  for (const key of [1, 3]) map.delete(key)
  t.same(
    [1, 2, 3].map((key) => map.get(key)),
    [undefined, 'here', undefined],
  )
  map.clear()
  t.equal(map.get(2), undefined)
})
