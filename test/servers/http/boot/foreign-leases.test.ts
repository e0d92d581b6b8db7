import t from 'tap'
import { readBootScript } from '../../../../src/sim/boot-script.ts'
import { exchange } from '../../../../src/sim/http-exchange.ts'
import { LoopbackServer, type TestMachine } from '../../../support/loopback-server.ts'

const inPath = ({ mac }: TestMachine) => mac.replaceAll(':', '-')

async function start(
  t: Tap,
  network: number,
  dhcpMode: 'proxy' | 'off',
  tokenBind: 'subnet' | 'address' = 'subnet',
): Promise<LoopbackServer> {
  const server = await LoopbackServer.start({ network, dhcpMode, tokenBind })
  t.teardown(() => server.stop())
  return server
}

interface Tap {
  teardown(done: () => unknown): void
}

/** What the machine's script comes down to, fetched from an address that another server gave it. */
async function scriptFrom(server: LoopbackServer, machine: TestMachine, address: string) {
  const url = `${server.bootUrl}/boot/${inPath(machine)}.ipxe?uuid=82828282-0000-4000-8000-000000000001`
  const answer = await exchange({ url, localAddress: address })
  return { action: readBootScript(answer.body.toString(), url, {}), text: answer.body.toString() }
}

async function redeemFrom(server: LoopbackServer, machine: TestMachine, token: string, address: string) {
  const answer = await exchange({
    url: `${server.bootUrl}/machines/${inPath(machine)}/cluster-config.json`,
    headers: { authorization: `Bearer ${token}`, 'pilotlight-nonce': '0123456789abcdef0123456789abcdef' },
    localAddress: address,
  })
  return { status: answer.status, body: answer.body.toString() }
}

const tokenIn = (text: string) => /pilotlight\.token=([\w-]+)/.exec(text)?.[1] ?? ''

/** A worker of which no address is stated. */
async function addWorker(server: LoopbackServer, name: string, last: string): Promise<TestMachine> {
  const mac = `02:82:06:00:00:${last}` as TestMachine['mac']
  await server.api('POST', '/machines', {
    name,
    macs: [mac],
    role: 'worker',
    cluster: 'prod',
    image: server.imageId,
  })
  await server.api('POST', `/machines/${name}/arm`)
  return { name, mac, address: `${server.net}.77` as TestMachine['address'] }
}

async function eventsOf(server: LoopbackServer): Promise<readonly { type: string; data: object }[]> {
  return (await server.api<{ items: { type: string; data: object }[] }>('GET', '/events?limit=500')).items
}

for (const [mode, network] of [
  ['proxy', 92],
  ['off', 97],
] as const) {
  t.test(`dhcp.mode ${mode}: a machine boots its image and redeems from its stated address`, async (t) => {
    const server = await start(t, network, mode)
    const founder = await server.addMachine('node01')
    const other = `${server.net}.90`
    t.match((await scriptFrom(server, founder, other)).text, /stated for another machine, or not the one/)
    const { action, text } = await scriptFrom(server, founder, founder.address)
    t.equal(action.kind, 'boot')
    const token = tokenIn(text)
    t.equal((await redeemFrom(server, founder, token, other)).status, 401)
    const given = await redeemFrom(server, founder, token, founder.address)
    t.equal(given.status, 200)
    t.match(JSON.parse(given.body), { bootstrap: true, raft_addr: `${founder.address}:2380` })
    t.match(
      (await eventsOf(server)).filter(({ type }) => type === 'boot.foreign-address'),
      [{ data: { address: other } }],
    )
  })
}

t.test(
  'without a stated address: any of the subnet that is nobody’s, and a change of it is an event',
  async (t) => {
    const server = await start(t, 94, 'proxy')
    const founder = await server.addMachine('node01')
    const worker = await addWorker(server, 'node08', '88')
    t.match((await scriptFrom(server, worker, founder.address)).text, /stated for another machine/)
    const { action, text } = await scriptFrom(server, worker, `${server.net}.80`)
    t.equal(action.kind, 'boot')
    t.equal((await redeemFrom(server, worker, tokenIn(text), founder.address)).status, 401)
    t.equal((await redeemFrom(server, worker, tokenIn(text), `${server.net}.81`)).status, 200)
    t.match(
      (await eventsOf(server)).filter(({ type }) => type === 'redeem.other-address'),
      [{ data: { minted_for: `${server.net}.80`, address: `${server.net}.81` } }],
    )
  },
)

t.test('boot.token_bind address: from that very address only', async (t) => {
  const server = await start(t, 95, 'proxy', 'address')
  const worker = await addWorker(server, 'node08', '88')
  const { text } = await scriptFrom(server, worker, `${server.net}.80`)
  t.equal((await redeemFrom(server, worker, tokenIn(text), `${server.net}.81`)).status, 401)
  t.equal((await redeemFrom(server, worker, tokenIn(text), `${server.net}.80`)).status, 200)
})
