import t from 'tap'
import { RowCache } from '../../../src/store/tables/row-cache.ts'

t.test('a row is read once, and so is its absence', async (t) => {
  const cache = new RowCache<string, string>(8)
  let reads = 0
  const read = (row: string | undefined) => () => {
    reads += 1
    return row
  }
  t.equal(cache.get('a', read('row')), 'row')
  t.equal(cache.get('a', read('other')), 'row')
  t.equal(cache.get('b', read(undefined)), undefined)
  t.equal(cache.get('b', read('other')), undefined)
  t.equal(reads, 2)
  cache.put('b', 'written')
  t.equal(cache.get('b', read('other')), 'written')
  cache.forget('a')
  t.equal(cache.get('a', read('anew')), 'anew')
  cache.forgetAll()
  t.equal(cache.get('a', read('last')), 'last')
})

t.test('of size 0 it remembers nothing', async (t) => {
  const cache = new RowCache<string, string>(0)
  t.equal(
    cache.get('a', () => 'one'),
    'one',
  )
  t.equal(
    cache.get('a', () => 'two'),
    'two',
  )
})

t.test('where strangers name the keys, what is absent takes no room', async (t) => {
  const cache = new RowCache<string, string>(8, false)
  cache.put('machine', 'row')
  for (let stranger = 0; stranger < 100; stranger += 1) cache.get(`${stranger}`, () => undefined)
  t.equal(
    cache.get('machine', () => 'read again'),
    'row',
  )
  t.equal(
    cache.get('7', () => 'now it is there'),
    'now it is there',
  )
})
