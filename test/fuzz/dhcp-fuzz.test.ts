import t from 'tap'
import { fuzzDhcp } from './dhcp.fuzz.ts'

t.test('ten seconds of mutated packets: no throw, no reply to garbage, every reply readable', async (t) => {
  const { tried: packets, replies, ways } = fuzzDhcp({ seed: 20_261_124, count: 2_000_000, seconds: 10 })
  t.comment(`${packets} packets, ${replies} replies`)
  t.ok(packets >= 50_000, 'a part worth the name')
  t.ok(replies > packets / 20, 'the mutations reach the decisions, and not only the door')
  for (const kind of ['offer', 'ack', 'nak', 'silent', 'dropped'])
    t.ok(
      [...ways.keys()].some((way) => way.startsWith(kind)),
      kind,
    )
})
