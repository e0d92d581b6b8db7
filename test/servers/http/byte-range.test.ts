import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { readRanges } from '../../../src/servers/http/byte-range.ts'

t.test('RFC 9110 §14.1.2: each form of a range, for a body of 100 bytes', async (t) => {
  const cases: readonly [header: string | undefined, wanted: ReturnType<typeof readRanges>][] = [
    [undefined, 'whole'],
    ['bytes=0-9', [{ first: 0, last: 9 }]],
    ['BYTES=0-9', [{ first: 0, last: 9 }]],
    ['bytes=90-', [{ first: 90, last: 99 }]],
    ['bytes=90-1000', [{ first: 90, last: 99 }]],
    ['bytes=-10', [{ first: 90, last: 99 }]],
    ['bytes=-1000', [{ first: 0, last: 99 }]],
    ['bytes=99-99', [{ first: 99, last: 99 }]],
    [
      'bytes=0-0, 50-59 ,-1',
      [
        { first: 0, last: 0 },
        { first: 50, last: 59 },
        { first: 99, last: 99 },
      ],
    ],
    [
      'bytes=50-59,0-9',
      [
        { first: 50, last: 59 },
        { first: 0, last: 9 },
      ],
    ],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=100-,200-300', 'unsatisfiable'],
    ['bytes=0-9,200-', [{ first: 0, last: 9 }]],
    ['bytes=9-0', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=0-9,x', 'whole'],
    ['items=0-9', 'whole'],
    ['bytes=0-9 5', 'whole'],
    ['bytes=99999999999999999999-', 'whole'],
    [`bytes=${Array.from({ length: 17 }, (_, n) => `${n * 2}-${n * 2}`).join(',')}`, 'whole'],
    ['bytes=0-50,40-60', 'whole'],
    ['bytes=0-,0-', 'whole'],
  ]
  for (const [header, wanted] of cases) t.strictSame(readRanges(header, 100), wanted, `${header}`)
  t.equal(readRanges('bytes=0-', 0), 'unsatisfiable', 'nothing of an empty body')
})

t.test('property: what is served lies in the body and is never served twice', async () => {
  const spec = fc
    .tuple(fc.option(fc.nat(300)), fc.option(fc.nat(300)))
    .map(([a, b]) => `${a ?? ''}-${b ?? ''}`)
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 20 }), fc.nat(200), (specs, size) => {
      const ranges = readRanges(`bytes=${specs.join(',')}`, size)
      if (typeof ranges === 'string') return
      const seen = new Set<number>()
      for (const { first, last } of ranges) {
        assert.ok(first <= last && last < size)
        for (let at = first; at <= last; at += 1) {
          assert.ok(!seen.has(at))
          seen.add(at)
        }
      }
    }),
    { numRuns: 2000 },
  )
})
