import t from 'tap'
import { dhcpOptionsOf } from '../../src/cli/dhcp-option.ts'

t.test('--dhcp-option by name, and by number with a type', async (t) => {
  t.same(dhcpOptionsOf(['mtu=1400', '224:text=a=b']), { mtu: '1400', 224: { type: 'text', value: 'a=b' } })
})

t.test('an option that is given twice is refused, not taken as it was said last', async (t) => {
  const twice = ['domain-search=a.example', 'mtu=1400', 'domain-search=b.example']
  t.throws(() => dhcpOptionsOf(twice), { message: /domain-search .*twice/, exitCode: 2 })
})
