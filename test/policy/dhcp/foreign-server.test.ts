import t from 'tap'
import type { ForeignServer } from '../../../src/model/foreign-server.ts'
import { decideForeignServer } from '../../../src/policy/dhcp/decide-foreign-server.ts'
import { eventTypes } from '../../support/builders.ts'
import { ip, mac, NOW_MS } from '../../support/dhcp-builders.ts'

const server = (changes: Partial<ForeignServer> = {}): ForeignServer => ({
  serverId: ip('192.0.2.9'),
  sourceAddress: ip('192.0.2.9'),
  seenAtMs: NOW_MS,
  mac: mac(1),
  message: 'offer',
  offered: ip('192.0.2.77'),
  hasBootData: false,
  ...changes,
})

const ROWS: readonly (readonly [
  name: string,
  mode: 'authoritative' | 'proxy' | 'off',
  changes: Partial<ForeignServer>,
  told: readonly string[],
])[] = [
  ['beside an authoritative server any other is news', 'authoritative', {}, ['dhcp.foreign-server']],
  ['with boot data as well', 'authoritative', { hasBootData: true }, ['dhcp.foreign-server']],
  ['in proxy mode it is what leases the addresses', 'proxy', {}, []],
  ['unless it says what to boot', 'proxy', { hasBootData: true }, ['dhcp.foreign-boot-data']],
  ['with DHCP off it is expected', 'off', {}, []],
]

for (const [name, mode, changes, told] of ROWS) {
  t.test(`another DHCP server: ${name}`, async (t) => {
    const { effects } = decideForeignServer({ nowMs: NOW_MS, mode, told: new Map() }, server(changes))
    t.same(eventTypes(effects), told)
    t.equal(effects[0]?.kind, 'note-foreign-server', 'noted in any case, for explain')
  })
}

t.test('one that stays is told of once an hour; another one at once', async (t) => {
  const told = new Map([['dhcp.foreign-server 192.0.2.9', NOW_MS - 3_599_000]])
  const decide = (changes: Partial<ForeignServer>, nowMs = NOW_MS) =>
    eventTypes(decideForeignServer({ nowMs, mode: 'authoritative', told }, server(changes)).effects)
  t.same(decide({}), [])
  t.same(decide({}, NOW_MS + 1000), ['dhcp.foreign-server'])
  t.same(decide({ serverId: ip('192.0.2.8') }), ['dhcp.foreign-server'])
})
