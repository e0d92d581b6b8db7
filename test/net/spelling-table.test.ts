import fc from 'fast-check'
import t from 'tap'
import { SpellingTable } from '../../src/net/spelling-table.ts'

t.test('every number is spelled right, though many share a place', async (t) => {
  const table = new SpellingTable(3)
  const half = fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 })
  const near = fc.integer({ min: 0, max: 20 })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(half, near), fc.oneof(half, near)), { maxLength: 60 }),
      (numbers) => {
        for (const [high, low] of numbers) {
          const spelling = `${high | 0}/${low | 0}`
          t.equal(
            table.get(high, low, () => spelling),
            spelling,
          )
        }
      },
    ),
    { numRuns: 50 },
  )
})

t.test('a number that was met lately is not spelled anew', async (t) => {
  const table = new SpellingTable(8)
  let spelled = 0
  const spell = () => {
    spelled += 1
    return `number ${spelled}`
  }
  t.equal(table.get(1, 2, spell), 'number 1')
  t.equal(table.get(1, 2, spell), 'number 1')
  t.equal(table.get(0, 0, spell), 'number 2', 'zero is a number like any other')
  t.equal(spelled, 2)
})
