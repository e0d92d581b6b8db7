import t from 'tap'
import { type AddressOwner, isOwnAddress, isTokenGoodFrom } from '../../../src/policy/machine/own-address.ts'
import { aMachine, cidr, ip } from '../../support/builders.ts'

const { reservedAddress: _stated, ...unstated } = aMachine()
const stated = aMachine({ reservedAddress: ip('10.77.0.11') })
const subnet = cidr('10.77.0.0/24')
const foreign = (more: object = {}) => ({ foreign: { subnet, bindsAddress: false, ...more } })

const rows: readonly (readonly [string, typeof unstated, string, AddressOwner, boolean])[] = [
  ['its lease', unstated, '10.77.0.50', { leasedToMachineId: 'm1' }, true],
  ['another machine’s lease', unstated, '10.77.0.50', { leasedToMachineId: 'm2' }, false],
  ['leased to nobody', stated, '10.77.0.11', {}, false],
  ['another server leases, nothing is stated', unstated, '10.77.0.50', foreign(), true],
  [
    'another server leases, its stated one',
    stated,
    '10.77.0.11',
    foreign({ statedForMachineId: 'm1' }),
    true,
  ],
  ['another server leases, not the one stated', stated, '10.77.0.50', foreign(), false],
  [
    'another server leases, stated for another',
    unstated,
    '10.77.0.12',
    foreign({ statedForMachineId: 'm2' }),
    false,
  ],
]

for (const [what, machine, address, owner, isOwn] of rows) {
  t.test(`${what}: ${isOwn ? 'its own' : 'not its own'}`, async (t) => {
    t.equal(isOwnAddress(machine, ip(address), owner), isOwn)
  })
}

t.test('a token is good from any address of ours, of the subnet, or from that very one', async (t) => {
  const [here, there, far] = [ip('10.77.0.50'), ip('10.77.0.51'), ip('10.78.0.50')]
  t.ok(isTokenGoodFrom(here, far, undefined), 'a lease of ours proves whose it is')
  t.ok(isTokenGoodFrom(here, there, { subnet, bindsAddress: false }))
  t.notOk(isTokenGoodFrom(here, far, { subnet, bindsAddress: false }), 'another subnet')
  t.notOk(isTokenGoodFrom(here, there, { subnet, bindsAddress: true }))
  t.ok(isTokenGoodFrom(here, here, { subnet, bindsAddress: true }))
})
