import t from 'tap'
import { fuzzHttp } from './http.fuzz.ts'

t.test(
  'eight seconds of hostile requests: no 5xx, no secret, right bytes, and the server lives',
  async (t) => {
    const { tried, replies, ways } = await fuzzHttp({ seed: 20_261_130, count: 40_000, seconds: 8 })
    t.comment(`${tried} requests, ${replies} replies`)
    t.ok(tried >= 500, 'a part worth the name')
    t.ok(replies > tried / 2, 'most are HTTP, and are answered')
    const wanted = [
      'boot read images 200',
      'boot read images 206',
      'boot read assets 206',
      'boot read images 416',
    ]
    const more = [
      'boot read machines 401',
      'api read machines 200',
      'api read machines 401',
      'api read other 404',
    ]
    for (const way of [...wanted, ...more]) t.ok((ways.get(way) ?? 0) > 0, way)
  },
)
