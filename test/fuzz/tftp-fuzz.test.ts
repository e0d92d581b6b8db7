import t from 'tap'
import { fuzzTftp } from './tftp.fuzz.ts'

t.test(
  'six seconds of mutated packets: each answer is one that §6 allows, and the file’s own bytes',
  async (t) => {
    const { tried, replies, ways } = await fuzzTftp({ seed: 20_261_129, count: 200_000, seconds: 6 })
    t.comment(`${tried} packets, ${replies} replies`)
    t.ok(tried >= 5_000, 'a part worth the name')
    t.ok(replies > tried / 4, 'the mutations reach the transfers, and not only the door')
    const wanted = ['request oack', 'request data', 'request error 1', 'request error 2']
    const more = ['request error 4', 'stranger error 5', 'outsider silent', 'time data']
    const ends = ['ended sent', 'ended aborted', 'ended timed-out']
    for (const way of [...wanted, ...more, ...ends]) t.ok((ways.get(way) ?? 0) > 0, way)
  },
)
