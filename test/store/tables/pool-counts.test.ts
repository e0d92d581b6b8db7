import t from 'tap'
import type { Ipv4 } from '../../../src/net/ipv4.ts'
import { PoolCounts } from '../../../src/store/tables/pool-counts.ts'

const SMALL = { first: '10.77.0.100' as Ipv4, last: '10.77.0.199' as Ipv4 }
const LARGE = { first: '10.100.1.0' as Ipv4, last: '10.101.255.250' as Ipv4 }

/** Counts of a pool where so many addresses are leased, and how often they were counted. */
function countsOf(held: () => number) {
  const seen = { times: 0 }
  const leases = {
    heldIn: () => {
      seen.times += 1
      return held()
    },
    activeAt: () => undefined,
  }
  return { seen, counts: new PoolCounts(leases, { runningIn: () => [] }, { addressesIn: () => [] }) }
}

t.test('a small pool is counted for everybody who asks', async (t) => {
  let held = 5
  const { seen, counts } = countsOf(() => held)
  t.equal(counts.takenIn('10.77.0.0/24', SMALL, 1000), 5)
  held = 7
  t.equal(counts.takenIn('10.77.0.0/24', SMALL, 1000), 7)
  t.equal(seen.times, 2)
})

t.test('a flood of strangers has a large pool counted once a second', async (t) => {
  let held = 100_000
  const { seen, counts } = countsOf(() => held)
  const taken = Array.from({ length: 500 }, (_, index) =>
    counts.takenIn('10.100.0.0/15', LARGE, 1000 + index),
  )
  t.equal(seen.times, 1)
  t.equal(taken[0], 100_000)
  t.equal(taken.at(-1), 100_499, 'each of them is taken to have got an address')
  held = 100_020
  t.equal(counts.takenIn('10.100.0.0/15', LARGE, 2000), 100_020)
  t.equal(seen.times, 2)
  counts.takenIn('10.100.0.0/15', { ...LARGE, first: '10.100.2.0' as Ipv4 }, 2000)
  t.equal(seen.times, 3, 'another pool is another count')
})
