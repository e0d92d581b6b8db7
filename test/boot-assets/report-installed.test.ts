import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { redeemConfig } from '../../src/sim/first-boot-client.ts'
import { LoopbackServer } from '../support/loopback-server.ts'
import { NodeWorld } from './support/node-world.ts'

// What an installer says at its end, to the real server.

let server: LoopbackServer
t.before(async () => {
  server = await LoopbackServer.start({ network: 97 })
})
t.teardown(() => server.stop())

/** An installer that took its configuration, with its target mounted. */
async function installer(name: string) {
  const machine = await server.addMachine(name, { isArmed: false })
  await server.api('PATCH', `/machines/${name}`, { boot_mode: 'install' })
  await server.api('POST', `/machines/${name}/arm`, {})
  const config = await redeemConfig(await server.bootKernel(machine), machine.address)
  const world = await NodeWorld.create(machine.address, [])
  t.teardown(() => world.destroy())
  await world.hurry()
  const { boot_id, report_url, report_token } = config.provisioning
  await world.setBoot({ BOOT_ID: boot_id, REPORT_URL: report_url })
  await writeFile(path.join(world.directory, 'run', 'report-auth'), `Authorization: Bearer ${report_token}\n`)
  await mkdir(path.join(world.directory, 'etc'), { recursive: true })
  await writeFile(path.join(world.directory, 'etc', 'cluster-config.json'), JSON.stringify(config))
  const root = path.join(world.directory, 'target')
  await mkdir(root)
  const state = async () => (await server.api<{ state: string }>('GET', `/machines/${name}`)).state
  return { world, root, state, config }
}

t.test(
  'leaves the configuration on the disk, for root alone, and says so',
  { timeout: 60_000 },
  async (t) => {
    const { world, root, state, config } = await installer('node01')
    const { code, output } = await world.run('report-installed.sh', [root])
    t.equal(code, 0, output)
    t.equal(await state(), 'installed')
    const file = path.join(root, 'etc', 'pilotlight', 'cluster-config.json')
    t.equal((await stat(file)).mode & 0o777, 0o600)
    t.strictSame(JSON.parse(await world.read('target/etc/pilotlight/cluster-config.json')), config)
    t.notMatch(output, config.provisioning.report_token)
    t.equal((await world.run('report-installed.sh', [root])).code, 0, 'harmless a second time')
  },
)

t.test('a server that does not take the word: no reboot yet', { timeout: 60_000 }, async (t) => {
  const { world, root, state } = await installer('node02')
  await server.api('POST', '/machines/node02/hold', {})
  const { code, output } = await world.run('report-installed.sh', [root])
  t.equal(code, 1, output)
  t.match(output, /do not reboot yet, and run this again/)
  t.equal(await state(), 'held')
  await server.api('POST', '/machines/node02/release', {})
  t.equal((await world.run('report-installed.sh', [root])).code, 0)
  t.equal(await state(), 'installed')
})

t.test('no directory, or two: how it is used', { timeout: 60_000 }, async (t) => {
  const { world, root } = await installer('node03')
  await chmod(root, 0o755)
  for (const args of [[], [path.join(root, 'none')], [root, root]]) {
    const { code, output } = await world.run('report-installed.sh', args)
    t.equal(code, 2)
    t.match(output, /usage: report-installed\.sh ROOT/)
  }
})
