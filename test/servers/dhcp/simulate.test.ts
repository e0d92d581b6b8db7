import t from 'tap'
import {
  simulateDatagram,
  simulateDhcp,
  simulationResource,
} from '../../../src/servers/dhcp/simulate-dhcp.ts'
import { BROADCAST_ARRIVAL, clientRequest, S, vectorRequest } from '../../support/dhcp-builders.ts'
import { DhcpEngine } from '../../support/dhcp-engine.ts'
import { vector } from '../../support/dhcp-vectors.ts'

t.test('a simulated DISCOVER gets the very bytes of a served one, and nothing is changed', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const { store, place } = engine
  const before = engine.eventTypes()
  const { decision } = simulateDhcp(store, place, vectorRequest('V1'))
  t.same(
    store.peek((view) => view.offers.at(decision.reply!.packet.yiaddr)),
    undefined,
    'no offer',
  )
  t.same(
    store.peek((view) => view.attempts.latestOf('machine-1')),
    undefined,
    'no boot attempt',
  )
  t.same(engine.eventTypes(), before, 'no event')
  const served = await engine.handle(vectorRequest('V1'))
  t.same(decision.reply?.bytes, served.reply?.bytes)
})

t.test('a simulated REQUEST leases nothing', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const select = clientRequest({ messageType: 'request', last: 1, options: { 50: '192.0.2.50', 54: S } })
  t.equal(simulateDhcp(engine.store, engine.place, select).decision.reason, 'lease-granted')
  t.same(engine.store.lists.leases.list('', '', 10), [])
})

t.test('the reasons stand in the order in which they count', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const { steps } = simulateDhcp(engine.store, engine.place, vectorRequest('V1'))
  t.same(
    steps.map(({ rule, finding }) => `${rule}: ${finding}`),
    [
      'message: discover from 02:00:00:00:00:01 by broadcast',
      'subnet: 192.0.2.0/24: the link that it arrived on',
      'mode: authoritative',
      'machine: node1, armed',
      'client: pxe, 0 x86 BIOS',
      'reservation: 192.0.2.50: free',
      'running offer: none',
      'lease, running or ended: none',
      'asked for: none',
      'pool: 192.0.2.100-192.0.2.199',
      'boot file: loader: undionly.kpxe',
      'answer: offer to 255.255.255.255:68: offered-reservation',
    ],
  )
})

t.test('silence is explained: the MAC that nobody registered, the subnet that is not served', async (t) => {
  const engine = new DhcpEngine(t)
  const unknown = simulateDhcp(engine.store, engine.place, vectorRequest('V1'))
  t.same(unknown.steps.at(-1), { rule: 'answer', finding: 'silence: unknown-machine' })
  t.match(unknown.steps, [{}, {}, {}, { rule: 'machine', finding: /nobody registered this MAC/ }])
  const elsewhere = simulateDhcp(
    engine.store,
    engine.place,
    clientRequest({ messageType: 'discover', last: 1, giaddr: '10.9.9.9' }),
  )
  t.match(elsewhere.steps[1], { finding: /^none: the relay's address 10\.9\.9\.9 is in no served subnet/ })
})

t.test('the reply is a table of fields and named options, as read back from its bytes', async (t) => {
  const engine = new DhcpEngine(t)
  await engine.addKnownMachines()
  const request = vectorRequest('V5')
  const shown = simulationResource(request, simulateDhcp(engine.store, engine.place, request))
  t.match(shown, {
    message: 'discover',
    mac: '02:00:00:00:00:02',
    decision: 'offer',
    reason: 'offered-reservation',
    reply: {
      to: '255.255.255.255:68',
      yiaddr: '192.0.2.51',
      file: 'http://192.0.2.1:8080/assets/snponly.efi',
      boot: 'http-loader',
    },
  })
  const options = shown.reply?.options ?? []
  t.match(
    options.find(({ code }) => code === 60),
    { name: 'vendor-class', value: 'HTTPClient' },
  )
  t.match(
    options.find(({ code }) => code === 3),
    { name: 'router', value: '192.0.2.254' },
  )
})

t.test('garbage is dropped with its reason, as it would be on the wire', async (t) => {
  const engine = new DhcpEngine(t)
  const shown = simulateDatagram(engine.store, engine.place, vector('B1'), BROADCAST_ARRIVAL)
  t.same(shown, { message: null, mac: null, decision: 'dropped', reason: 'option-overrun', reply: null })
})
