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

t.test('§5.6.7: a date is in one of three forms, and what is none is ignored', async (t) => {
  for (const date of ['Tuesday, 05-Jan-27 10:00:00 GMT', 'Tue Jan  5 10:00:00 2027', SAME]) {
    t.equal(checkPreconditions({ 'if-modified-since': date }, HERE), 'not-modified', date)
    t.ok(mayServeRange({ 'if-range': date }, HERE), date)
  }
  t.equal(
    checkPreconditions({ 'if-modified-since': 'Wednesday, 05-Jan-99 10:00:00 GMT' }, HERE),
    'go-on',
    '1999',
  )
  const nonsense = [
    '2099',
    'x 1',
    '0',
    '2027-01-05T10:00:00.500Z',
    'Tue, 05 Jan 2099',
    'Tue, 32 Jan 2099 10:00:00 GMT',
  ]
  for (const date of [...nonsense, 'Tue, 05 Jan 2099 10:00:00 +0200', 'Tue, 05 Jan 2099 10:00:00 GMT, x']) {
    t.equal(checkPreconditions({ 'if-modified-since': date }, HERE), 'go-on', date)
    t.equal(checkPreconditions({ 'if-unmodified-since': date.replace('2099', '1999') }, HERE), 'go-on', date)
    t.notOk(mayServeRange({ 'if-range': date }, HERE), date)
  }
})

t.test('§13.1.5: If-Range, strong tags and exact dates only', async (t) => {
  t.ok(mayServeRange({}, HERE))
  t.ok(mayServeRange({ 'if-range': '"abc"' }, HERE))
  t.ok(mayServeRange({ 'if-range': SAME }, HERE))
  for (const other of ['"x"', 'W/"abc"', BEFORE, 'nonsense'])
    t.notOk(mayServeRange({ 'if-range': other }, HERE), other)
})
