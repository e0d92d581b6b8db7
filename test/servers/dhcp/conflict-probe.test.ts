import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parseIpv4Range } from '../../../src/net/ipv4.ts'
import { type AddressProber, holderIn, PROBE_MS } from '../../../src/servers/dhcp/arp-prober.ts'
import { clientRequest, ip, LOCAL, mac, machineOf, REMOTE, replyOf, S } from '../../support/dhcp-builders.ts'
import { DhcpEngine } from '../../support/dhcp-engine.ts'
import { inside, Namespaces, noNamespaces } from '../../support/dhcp-netns.ts'

const discover = (last: number, options: Readonly<Record<number, string>> = {}) =>
  clientRequest({ messageType: 'discover', last, options })
const select = (last: number, address: string) =>
  clientRequest({ messageType: 'request', last, options: { 50: address, 54: S } })

/** A link on which certain addresses are taken, and a note of what was asked of it. */
class Link implements AddressProber {
  readonly asked: string[] = []
  readonly taken = new Set<string>()
  async isTaken(address: string): Promise<boolean> {
    this.asked.push(address)
    return this.taken.has(address)
  }
}

async function setUp(t: { teardown(done: () => unknown): void }, pool = '192.0.2.100-192.0.2.103') {
  const engine = new DhcpEngine(t, { subnets: [{ ...LOCAL, pool: parseIpv4Range(pool)! }, REMOTE] })
  await engine.addKnownMachines()
  const link = new Link()
  engine.prober = link
  return { engine, link }
}

t.test('§2.2: an address of the pool is probed before it is offered, once in 30 s', async (t) => {
  const { engine, link } = await setUp(t)
  const { yiaddr } = replyOf(await engine.handle(discover(3)))
  t.same(link.asked, [yiaddr])
  await engine.handle(discover(3))
  t.same(link.asked, [yiaddr], 'the verdict holds')
  engine.nowMs += 31_000
  await engine.handle(discover(3))
  t.same(link.asked, [yiaddr, yiaddr])
})

t.test('never for a reservation, a renewal, a selection, or a lease of the last ten minutes', async (t) => {
  const { engine, link } = await setUp(t)
  t.equal((await engine.handle(discover(1))).reason, 'offered-reservation')
  t.equal((await engine.handle(select(3, '192.0.2.100'))).reason, 'lease-granted')
  t.equal((await engine.handle(discover(3))).reason, 'offered-previous-lease')
  engine.nowMs += 3_600_000 + 599_000
  t.equal((await engine.handle(discover(3))).reason, 'offered-previous-lease')
  t.same(link.asked, [])
  engine.nowMs += 2_000
  t.equal((await engine.handle(discover(3))).reason, 'offered-again')
  t.same(link.asked, ['192.0.2.100'], 'but when it ended longer ago')
})

t.test('never behind a relay, where nobody here could hear an answer', async (t) => {
  const { engine, link } = await setUp(t)
  await engine.put(machineOf(6, { reservedAddress: ip('192.0.2.60') }))
  const relayed = clientRequest({ messageType: 'discover', last: 3, giaddr: '192.0.2.200' })
  t.equal((await engine.handle(relayed)).reply?.packet.messageType, 'offer')
  t.same(link.asked, [])
})

t.test(
  'an address that answers is put aside for ten minutes and told of; the client gets the next',
  async (t) => {
    const { engine, link } = await setUp(t)
    const first = replyOf(await engine.handle(discover(3))).yiaddr
    engine.nowMs += 200_000
    link.taken.add(first)
    const second = await engine.handle(discover(3))
    t.not(replyOf(second).yiaddr, first)
    t.same(link.asked, [first, first, replyOf(second).yiaddr])
    t.ok(engine.eventTypes().includes('address.conflict'))
    t.equal((await engine.handle(select(3, first))).reason, 'address-quarantined')
    link.taken.clear()
    engine.nowMs += 601_000
    t.equal(
      (await engine.handle(select(3, first))).reason,
      'lease-granted',
      'ten minutes later it is free again',
    )
  },
)

t.test('a message asks for three probes at most; its next try goes on from there', async (t) => {
  const { engine, link } = await setUp(t)
  for (const last of [100, 101, 102, 103]) link.taken.add(`192.0.2.${last}`)
  const decision = await engine.handle(discover(3))
  t.equal(decision.reply, undefined)
  t.equal(decision.reason, 'addresses-answered-probes')
  t.equal(link.asked.length, 3)
  t.equal((await engine.handle(discover(3))).reason, 'pool-exhausted')
  t.equal(new Set(link.asked).size, 4, 'no address twice')
})

t.test('two clients at once are never promised one address while probes run', async (t) => {
  const { engine } = await setUp(t)
  await engine.put(machineOf(5), machineOf(6))
  const offers = await Promise.all([3, 5, 6].map((last) => engine.handle(discover(last))))
  t.equal(new Set(offers.map((offer) => replyOf(offer).yiaddr)).size, 3)
})

t.test('an attempt is noted once for a message, however often it is decided', async (t) => {
  const { engine } = await setUp(t)
  const pxe = { 60: '505845436c69656e74', 93: '0007' }
  await engine.handle(discover(3, pxe))
  const attempt = engine.store.lists.attempts.latestOf('machine-3')
  t.equal(engine.store.lists.attempts.stages(attempt!.bootId)[0]?.retries, 0)
})

t.test('the kernel’s ARP table is read: complete entries only', async (t) => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.7         0x1         0x2         02:00:00:00:00:07     *        eth1
10.0.0.8         0x1         0x0         00:00:00:00:00:00     *        eth1
`
  t.equal(holderIn(table, ip('10.0.0.7')), mac(7))
  t.equal(holderIn(table, ip('10.0.0.8')), undefined)
  t.equal(holderIn(table, ip('10.0.0.9')), undefined)
  t.equal(holderIn('', ip('10.0.0.9')), undefined)
})

const skip = noNamespaces() ?? false

t.test(
  'on a real link: a host that holds the address is found within a second; the client itself is none',
  { skip, timeout: 60_000 },
  async (t) => {
    const namespaces = new Namespaces()
    t.teardown(() => namespaces.clear())
    const serverSide = namespaces.add('s')
    const hostSide = namespaces.add('h')
    namespaces.join(
      [serverSide, 's0', '10.88.0.1/24'],
      [hostSide, 'h0', '10.88.0.100/24'],
      '02:00:00:00:00:64',
    )
    const program = fileURLToPath(new URL('../../support/dhcp-probe-once.ts', import.meta.url))
    const probe = async (address: string, of: string) => {
      const run = namespaces.start(serverSide, [process.execPath, program, '10.88.0.1', address, of])
      const [, word, ms] = /^(taken|free) (\d+)$/.exec(await run.line(/^(taken|free) /)) ?? []
      t.ok(Number(ms) < 1000, `bounded: ${ms} ms`)
      return word
    }
    t.equal(await probe('10.88.0.100', '02:00:00:00:00:03'), 'taken')
    t.equal(await probe('10.88.0.101', '02:00:00:00:00:03'), 'free')
    t.equal(await probe('10.88.0.100', '02:00:00:00:00:64'), 'free', 'the client has it itself')
    t.equal(await probe('10.88.0.100', '02:00:00:00:00:03'), 'taken', 'known to the kernel, and alive')
    inside(hostSide, 'ip', 'address', 'del', '10.88.0.100/24', 'dev', 'h0')
    t.equal(await probe('10.88.0.100', '02:00:00:00:00:03'), 'free', 'an old ARP entry proves nothing')
    t.ok(PROBE_MS * 3 < 1000)
  },
)
