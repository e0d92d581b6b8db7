import t from 'tap'
import { FloodGuard } from '../../../src/servers/dhcp/flood-guard.ts'
import { clientRequest, mac } from '../../support/dhcp-builders.ts'

const LIMITS = {
  mac: [1000, 1000],
  relayPort: [2, 4],
  link: [5, 10],
  strangers: [20, 30],
  newMacsPerRelayPort: 3,
} as const

/** Sends so many messages at one moment and counts what came of them, by reason. */
function send(
  guard: FloodGuard,
  count: number,
  from: {
    readonly macs?: number
    readonly circuit?: string
    readonly giaddr?: string
    readonly known?: boolean
  },
  nowMs = 0,
): Record<string, number> {
  const outcomes: Record<string, number> = {}
  for (let index = 0; index < count; index += 1) {
    const last = 10 + (index % (from.macs ?? 200))
    const { packet } = clientRequest({
      messageType: 'discover',
      last,
      ...(from.giaddr === undefined ? {} : { giaddr: from.giaddr }),
      ...(from.circuit === undefined ? {} : { options: { 82: `01 02 ${from.circuit}` } }),
    })
    const outcome = guard.refusal(packet, mac(last), from.known ?? false, nowMs) ?? 'decided'
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  return outcomes
}

t.test(
  'a flood of invented MACs on a link is cut to its rate, and known machines are unharmed by it',
  async (t) => {
    const guard = new FloodGuard(LIMITS)
    t.same(send(guard, 100, {}), { decided: 10, 'port-flood': 90 })
    t.same(send(guard, 100, { known: true }), { decided: 100 }, 'at the very same moment')
    t.same(send(guard, 100, {}, 1000), { decided: 5, 'port-flood': 95 }, 'a second later the rate')
  },
)

t.test('one switch port that floods takes nothing from its neighbours', async (t) => {
  const guard = new FloodGuard(LIMITS)
  const relay = { giaddr: '192.0.2.9', macs: 2 }
  t.same(send(guard, 50, { ...relay, circuit: '0001' }), { decided: 4, 'port-flood': 46 })
  t.same(send(guard, 4, { ...relay, circuit: '0002' }), { decided: 4 })
  t.same(send(guard, 10, {}), { decided: 10 }, 'nor from the link')
})

t.test('who invents relays and ports as well is cut to what strangers get together', async (t) => {
  const guard = new FloodGuard(LIMITS)
  const totals: Record<string, number> = {}
  for (let relay = 1; relay <= 50; relay += 1) {
    const some = send(guard, 4, { giaddr: `198.51.100.${relay}`, circuit: '0001', macs: 1 })
    for (const [reason, count] of Object.entries(some)) totals[reason] = (totals[reason] ?? 0) + count
  }
  t.equal(totals.decided, 30)
  t.equal(totals['unknown-flood'], 170)
})

t.test('one switch port has so many new MACs a minute, and no more', async (t) => {
  const guard = new FloodGuard({ ...LIMITS, relayPort: [100, 100] })
  const port = { giaddr: '192.0.2.9', circuit: '0001' }
  t.same(send(guard, 9, { ...port, macs: 9 }), { decided: 3, 'new-mac-flood': 6 })
  t.same(send(guard, 3, { ...port, macs: 3 }), { decided: 3 }, 'those that are seen already go on')
  t.same(send(guard, 9, { ...port, macs: 9 }, 61_000), { decided: 3, 'new-mac-flood': 6 })
})

t.test('one MAC, known or not, has a rate of its own', async (t) => {
  const guard = new FloodGuard({ ...LIMITS, mac: [10, 10] })
  t.same(send(guard, 50, { macs: 1, known: true }), { decided: 10, 'mac-flood': 40 })
})

t.test('option 82 without a relay is a claim, and names no port', async (t) => {
  const guard = new FloodGuard(LIMITS)
  t.same(send(guard, 20, { circuit: '0001', macs: 20 }), { decided: 10, 'port-flood': 10 }, 'the link’s rate')
})

t.test('a flood is news once a minute', async (t) => {
  const guard = new FloodGuard(LIMITS)
  t.equal(guard.isNews('mac-flood', 0), true)
  t.equal(guard.isNews('mac-flood', 59_000), false)
  t.equal(guard.isNews('port-flood', 59_000), true)
  t.equal(guard.isNews('mac-flood', 60_000), true)
})
