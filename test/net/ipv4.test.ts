import fc from 'fast-check'
import t from 'tap'
import {
  broadcastOf,
  type Ipv4,
  ipv4FromBytes,
  ipv4FromNumber,
  ipv4ToBytes,
  ipv4ToNumber,
  isHostAddress,
  netmaskOf,
  parseCidr,
  parseIpv4,
  parseIpv4Range,
  rangeContains,
} from '../../src/net/ipv4.ts'

t.test('every 32-bit number is one address, and back by text and by bytes', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
      const address = ipv4FromNumber(value)
      return (
        parseIpv4(address) === address &&
        ipv4ToNumber(address) === value &&
        ipv4FromBytes(ipv4ToBytes(address)) === address
      )
    }),
  )
  t.pass()
})

t.test('text that some programs read as octal, or that is too large, is refused', async (t) => {
  for (const text of [
    '010.0.0.1',
    '256.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '',
    ' 1.2.3.4',
    '1.2.3.4/24',
    '1.2.3.-4',
  ]) {
    t.equal(parseIpv4(text), undefined, text)
  }
})

t.test('a network with host bits set is taken for a slip', async (t) => {
  t.equal(parseCidr('10.77.0.5/24'), undefined)
  t.strictSame(parseCidr('10.77.0.0/24'), { network: '10.77.0.0', prefixBits: 24 })
  t.strictSame(parseCidr('0.0.0.0/0'), { network: '0.0.0.0', prefixBits: 0 })
  t.equal(parseCidr('10.77.0.0/33'), undefined)
})

t.test('masks, broadcast addresses and hosts', async (t) => {
  const cidr = parseCidr('10.77.0.0/22')
  if (cidr === undefined) throw new Error('a good network was refused')
  t.equal(netmaskOf(22), '255.255.252.0')
  t.equal(netmaskOf(0), '0.0.0.0')
  t.equal(netmaskOf(32), '255.255.255.255')
  t.equal(broadcastOf(cidr), '10.77.3.255')
  t.notOk(isHostAddress(cidr, '10.77.0.0' as Ipv4))
  t.notOk(isHostAddress(cidr, '10.77.3.255' as Ipv4))
  t.ok(isHostAddress(cidr, '10.77.1.255' as Ipv4))
  t.ok(isHostAddress({ network: '10.0.0.0' as Ipv4, prefixBits: 31 }, '10.0.0.0' as Ipv4), 'RFC 3021')
})

t.test('a range holds both its ends and must not run backwards', async (t) => {
  const range = parseIpv4Range('10.77.0.100 - 10.77.0.199')
  if (range === undefined) throw new Error('a good range was refused')
  t.ok(rangeContains(range, '10.77.0.100' as Ipv4))
  t.ok(rangeContains(range, '10.77.0.199' as Ipv4))
  t.notOk(rangeContains(range, '10.77.0.200' as Ipv4))
  t.equal(parseIpv4Range('10.77.0.199-10.77.0.100'), undefined)
})
