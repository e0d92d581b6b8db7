import t from 'tap'
import type { Offer } from '../../../src/model/lease.ts'
import { Offers } from '../../../src/store/tables/offers.ts'
import { ip, mac, NOW } from '../../support/builders.ts'

const SUBNET = '10.77.0.0/24'

function offerOf(client: number, host: number): Offer {
  return {
    subnet: SUBNET,
    mac: mac(`02:00:00:00:00:0${client}`),
    address: ip(`10.77.0.${host}`),
    expiresAtMs: NOW + 120_000,
  }
}

t.test('an address is on offer to one client, the latest', async (t) => {
  const offers = new Offers()
  offers.put(offerOf(1, 100))
  offers.put(offerOf(2, 100))
  t.equal(offers.at(ip('10.77.0.100'))?.mac, mac('02:00:00:00:00:02'))
  t.equal(offers.byMac(SUBNET, mac('02:00:00:00:00:01')), undefined)
})

t.test('a client has one offer of a subnet, the latest', async (t) => {
  const offers = new Offers()
  offers.put(offerOf(1, 100))
  offers.put(offerOf(1, 101))
  t.equal(offers.at(ip('10.77.0.100')), undefined)
  t.equal(offers.byMac(SUBNET, mac('02:00:00:00:00:01'))?.address, ip('10.77.0.101'))
  offers.drop(SUBNET, mac('02:00:00:00:00:01'))
  t.equal(offers.at(ip('10.77.0.101')), undefined)
})

t.test('a rollback brings back what stood at its mark', async (t) => {
  const offers = new Offers()
  const [first, second] = [offerOf(1, 100), offerOf(2, 101)]
  offers.put(first)
  offers.put(second)
  offers.settle()
  offers.put(offerOf(3, 102))
  const { mark } = offers
  // Takes the second's address and leaves its own; then both of what is left go.
  offers.put(offerOf(1, 101))
  offers.drop(SUBNET, first.mac)
  offers.drop(SUBNET, mac('02:00:00:00:00:03'))
  offers.undoTo(mark)
  t.same(
    [100, 101, 102].map((host) => offers.at(ip(`10.77.0.${host}`))),
    [first, second, offerOf(3, 102)],
  )
  t.same(offers.byMac(SUBNET, first.mac), first)
  t.same(offers.byMac(SUBNET, second.mac), second)
  offers.undoTo(0)
  t.equal(offers.at(ip('10.77.0.102')), undefined, 'what was settled stays, the rest is gone')
  t.same(offers.at(first.address), first)
})
