import t from 'tap'
import { type NodeConfig, redeemConfig } from '../../src/sim/first-boot-client.ts'
import { exchange } from '../../src/sim/http-exchange.ts'
import { LoopbackServer, type TestMachine } from '../support/loopback-server.ts'

// Boot mode install: the image is booted once, and from the machine's own word on it boots from its disk.

let server: LoopbackServer
t.before(async () => {
  server = await LoopbackServer.start({ network: 96 })
})
t.teardown(() => server.stop())

async function scriptKind(machine: TestMachine): Promise<string> {
  const answer = await server.script(machine, await server.lease(machine, 'ipxe-bios'))
  return answer.kind
}

async function report({ provisioning }: NodeConfig, { address }: TestMachine, entry: object) {
  const { boot_id, report_url, report_token } = provisioning
  return exchange({
    method: 'POST',
    url: report_url,
    localAddress: address,
    headers: { authorization: `Bearer ${report_token}` },
    body: { boot_id, reports: [entry] },
  })
}

const INSTALLED = { step: 'installed', state: 'succeeded', sequence: 1 }
const stateOf = async (name: string) =>
  (await server.api<{ state: string }>('GET', `/machines/${name}`)).state

t.test('an installation, from the arm to the disk', { timeout: 60_000 }, async (t) => {
  const machine = await server.addMachine('node01', { isArmed: false })
  await server.api('PATCH', '/machines/node01', { boot_mode: 'install' })
  await server.api('POST', '/machines/node01/arm', {})
  const config = await redeemConfig(await server.bootKernel(machine), machine.address)
  t.equal(await stateOf('node01'), 'first-boot')
  t.equal(
    await scriptKind(machine),
    'wait',
    'an installer that is switched off before its word is no system yet',
  )

  t.equal((await report(config, machine, INSTALLED)).status, 200)
  t.equal(await stateOf('node01'), 'installed')
  t.equal(await scriptKind(machine), 'exit', 'from its disk')
  t.equal((await report(config, machine, INSTALLED)).status, 200, 'said again, as after a lost answer')
  t.equal(await stateOf('node01'), 'installed')

  const step = { step: 'chainfire-cluster-join', facts: {} }
  t.equal((await report(config, machine, { ...step, state: 'started', sequence: 1 })).status, 200)
  t.equal(await stateOf('node01'), 'installed', 'the same boot attempt goes on after the reboot')
  const failed = { ...step, state: 'failed', sequence: 2, reason: 'no-health' }
  t.equal((await report(config, machine, failed)).status, 200)
  t.equal(await stateOf('node01'), 'failed')
  t.equal(await scriptKind(machine), 'exit', 'what failed is tried again where the system is')

  const { items } = await server.api<{ items: { type: string }[] }>('GET', '/events?limit=500')
  t.equal(items.filter(({ type }) => type === 'machine.installed').length, 1)
})

t.test(
  'an arm after that installs anew, whatever the boot before still says',
  { timeout: 60_000 },
  async (t) => {
    const machine = await server.addMachine('node02', { isArmed: false })
    await server.api('PATCH', '/machines/node02', { boot_mode: 'install' })
    await server.api('POST', '/machines/node02/arm', {})
    const config = await redeemConfig(await server.bootKernel(machine), machine.address)
    await server.api('POST', '/machines/node02/arm', {})
    t.equal((await report(config, machine, INSTALLED)).status, 200)
    t.equal(await stateOf('node02'), 'armed')
    t.equal(await scriptKind(machine), 'boot')
  },
)

t.test('a report of `installed` that says anything else is refused', { timeout: 60_000 }, async (t) => {
  const machine = await server.addMachine('node03')
  const config = await redeemConfig(await server.bootKernel(machine), machine.address)
  t.match(await report(config, machine, { ...INSTALLED, state: 'started' }), { status: 422 })
  t.equal((await report(config, machine, INSTALLED)).status, 200, 'known, and nothing comes of it')
  t.equal(await stateOf('node03'), 'first-boot', 'it boots from the network by its mode')
})
