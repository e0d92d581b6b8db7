import t from 'tap'
import { macFromBytes, macInPath, macToBytes, parseMac } from '../../src/net/mac.ts'

t.test('a MAC is read in every spelling that people and firmware use', async (t) => {
  for (const text of ['02:00:00:00:00:0A', '02-00-00-00-00-0a', '02000000000a', '0200.0000.000A']) {
    t.equal(parseMac(text), '02:00:00:00:00:0a', text)
  }
})

t.test('anything else is no MAC', async (t) => {
  for (const text of [
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:0a:01',
    '02-00:00-00:00-0a',
    'g2:00:00:00:00:0a',
    '../../etc',
  ]) {
    t.equal(parseMac(text), undefined, text)
  }
})

t.test('bytes and text go both ways', async (t) => {
  const mac = parseMac('52:54:00:99:00:01')
  if (mac === undefined) throw new Error('a good MAC was refused')
  t.equal(macFromBytes(macToBytes(mac)), mac)
  t.equal(macInPath(mac), '52-54-00-99-00-01')
  t.throws(() => macFromBytes(new Uint8Array(5)), /has 5 bytes, want 6/)
})
