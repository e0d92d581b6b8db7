import { randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import t from 'tap'
import type { Mac } from '../../src/net/mac.ts'
import { macInPath } from '../../src/net/mac.ts'
import { exchange } from '../../src/sim/http-exchange.ts'
import { vector } from '../support/dhcp-vectors.ts'
import { type RedeemedConfig, ServerProcess, tokenIn } from '../support/server-process.ts'

interface Event {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

async function dhcpCounters(server: ServerProcess): Promise<Record<string, number>> {
  return (await server.api<{ dhcp: Record<string, number> }>('GET', '/counters')).dhcp
}

/** Sends datagrams to the DHCP port and waits until all of them are counted. */
async function sendAll(server: ServerProcess, datagrams: readonly Uint8Array[]): Promise<void> {
  const before = (await dhcpCounters(server)).received ?? 0
  const socket = dgram.createSocket('udp4')
  for (const bytes of datagrams)
    await new Promise((resolve) => socket.send(bytes, server.dhcp.port, server.dhcp.address, resolve))
  socket.close()
  while (((await dhcpCounters(server)).received ?? 0) < before + datagrams.length);
}

async function refusals(server: ServerProcess): Promise<readonly unknown[]> {
  const { items } = await server.api<{ items: Event[] }>('GET', '/events?after=0&limit=1000')
  return items.filter(({ type }) => type === 'token.refused').map(({ data }) => data.reason)
}

t.test(
  'malformed DHCP is dropped and counted by reason; strangers get silence',
  { timeout: 120_000 },
  async (t) => {
    const server = await ServerProcess.start(t)
    const hostile = ['B1', 'B2', 'B3', 'B4', 'B5', 'B7', 'B11'] as const
    await sendAll(server, [...hostile.map((name) => vector(name)), randomBytes(400), new Uint8Array(0)])
    const counters = await dhcpCounters(server)
    const dropped = Object.entries(counters).filter(([name]) => name.startsWith('dropped:'))
    const total = dropped.reduce((sum, [, count]) => sum + count, 0)
    // B7 hides its type in `file`, where a parser that follows option 52 may find it.
    const followed = counters['silent:unknown-machine'] ?? 0
    t.equal(total + followed, hostile.length + 2, JSON.stringify(counters))
    t.ok(total >= hostile.length + 1)
    t.ok(dropped.length >= 5, `by reason: ${dropped.map(([name]) => name).join(', ')}`)
    t.notOk(
      Object.keys(counters).some((name) => name.startsWith('sent:')),
      'nobody is answered',
    )

    await sendAll(server, [vector('V1'), vector('V5'), vector('B6'), vector('B9')])
    const after = await dhcpCounters(server)
    t.equal((after['silent:unknown-machine'] ?? 0) - followed, 4, 'MACs that nobody registered')
    t.notOk(Object.keys(after).some((name) => name.startsWith('sent:')))
    t.equal(
      (await server.api<{ items: unknown[] }>('GET', '/machines')).items.length,
      0,
      'and nothing is made of them',
    )
    t.equal((await server.api<{ items: unknown[] }>('GET', '/leases')).items.length, 0)
  },
)

t.test(
  'unknown_machines: discover: an address of the pool, and a script that waits and says why',
  { timeout: 120_000 },
  async (t) => {
    const server = await ServerProcess.start(t, { unknownMachines: 'discover' })
    const mac = '02:5c:00:00:00:01' as Mac
    const { address, bootFile } = await server.lease(mac, 'ipxe-bios')
    const last = Number(address.split('.')[3])
    t.ok(last >= 100 && last <= 199, address)
    t.equal(bootFile, `${server.bootUrl}/boot/${macInPath(mac)}.ipxe`)
    const uuid = '5c5c5c5c-0000-4000-8000-000000000001'
    const script = (
      await exchange({ url: `${bootFile}?uuid=${uuid}`, localAddress: address })
    ).body.toString()
    t.match(script, /^#!ipxe\n/)
    t.match(script, /sleep \d+/)
    t.match(script, /chain --replace/)
    t.notMatch(script, /token|kernel/)
    const { items } = await server.api<{ items: object[] }>('GET', '/machines')
    t.match(items, [{ macs: [mac], state: 'discovered' }])
  },
)

t.test(
  'tokens: wrong, foreign and used ones get one and the same 401, and an event that says which',
  { timeout: 120_000 },
  async (t) => {
    const server = await ServerProcess.start(t)
    const image = await server.importImage()
    await server.api('POST', '/clusters', { name: 'c', expected_control_plane: 2 })
    const macs = ['02:70:00:00:00:01', '02:70:00:00:00:02'] as Mac[]
    for (const [index, mac] of macs.entries()) {
      const machine = { name: `n${index}`, macs: [mac], role: 'control-plane', cluster: 'c', image }
      await server.api('POST', '/machines', { ...machine, address: server.addressOf(index) })
    }
    const missing = await server.ask('POST', '/machines', {
      name: 'n9',
      macs: ['02:70:00:00:00:09'],
      role: 'worker',
      cluster: 'c',
      image: 'ffffffffffffffff',
    })
    t.ok(missing.status === 422 || missing.status === 404, `an image that is not there: ${missing.status}`)
    t.match(JSON.parse(missing.body.toString()), { field: 'image', cure: /./ })

    await server.api('POST', '/clusters/c/arm', {})
    const [own = '', other = ''] = macs
    const [ownToken = '', otherToken = ''] = [
      tokenIn(await server.fetchCommandLine(own as Mac)),
      tokenIn(await server.fetchCommandLine(other as Mac)),
    ]
    const from = server.addressOf(0)
    const statuses: number[] = []
    const bodies = new Set<string>()
    const tries = async (token: string, address = from) => {
      const answer = await server.redeem(own as Mac, token, address)
      statuses.push(answer.status)
      bodies.add(answer.body.toString())
    }
    await tries('A'.repeat(43))
    await tries(otherToken)
    await tries(ownToken, server.addressOf(1))
    t.equal((await server.redeem(own as Mac, ownToken, from)).status, 200, 'none of this spent it')
    await tries(ownToken)
    t.same(statuses, [401, 401, 401, 401])
    t.equal(bodies.size, 1, 'nobody learns which part was wrong')
    t.same(await refusals(server), ['unknown-token', 'foreign-token', 'wrong-address', 'already-redeemed'])

    const answer = await server.redeem(other as Mac, otherToken, server.addressOf(1))
    const config = JSON.parse(answer.body.toString()) as RedeemedConfig
    t.equal((await server.report(config, server.addressOf(1), 1)).status, 200)
    const forged = {
      ...config,
      provisioning: {
        ...config.provisioning,
        report_token: `${config.provisioning.boot_id}.${'A'.repeat(43)}`,
      },
    }
    t.equal((await server.report(forged, server.addressOf(1), 2)).status, 401)
    t.notMatch(server.output.join('\n'), ownToken, 'the log holds no token')
    t.notMatch(server.output.join('\n'), config.provisioning.report_token)
  },
)
