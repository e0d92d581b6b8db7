import t from 'tap'
import { checkPreconditions, mayServeRange } from '../../../src/servers/http/preconditions.ts'

const HERE = { etag: '"abc"', lastModifiedMs: Date.parse('Tue, 05 Jan 2027 10:00:00 GMT') + 500 }
const SAME = 'Tue, 05 Jan 2027 10:00:00 GMT'
const BEFORE = 'Tue, 05 Jan 2027 09:59:59 GMT'

t.test('RFC 9110 §13.2.2: conditions in their order', async (t) => {
  const cases: readonly [headers: Record<string, string>, wanted: ReturnType<typeof checkPreconditions>][] = [
    [{}, 'go-on'],
    [{ 'if-match': '"abc"' }, 'go-on'],
    [{ 'if-match': '"x", "abc"' }, 'go-on'],
    [{ 'if-match': '*' }, 'go-on'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-match': 'W/"abc"' }, 'failed'],
    [{ 'if-unmodified-since': SAME }, 'go-on'],
    [{ 'if-unmodified-since': BEFORE }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'go-on'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': BEFORE }, 'go-on'],
    [{ 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"' }, 'go-on'],
    [{ 'if-modified-since': SAME }, 'not-modified'],
    [{ 'if-modified-since': BEFORE }, 'go-on'],
    [{ 'if-none-match': '"x"', 'if-modified-since': SAME }, 'go-on'],
    [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'failed'],
  ]
  for (const [headers, wanted] of cases)
    t.equal(checkPreconditions(headers, HERE), wanted, JSON.stringify(headers))
})

t.test('§13.1.5: If-Range, strong tags and exact dates only', async (t) => {
  t.ok(mayServeRange({}, HERE))
  t.ok(mayServeRange({ 'if-range': '"abc"' }, HERE))
  t.ok(mayServeRange({ 'if-range': SAME }, HERE))
  for (const other of ['"x"', 'W/"abc"', BEFORE, 'nonsense'])
    t.notOk(mayServeRange({ 'if-range': other }, HERE), other)
})
