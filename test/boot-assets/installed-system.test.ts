import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { NodeWorld } from './support/node-world.ts'

// A system that starts from its own disk: no word of ours is on its kernel's command line, and no server is asked.

const CONFIG = {
  ...{
    schema_version: 1,
    node_id: 'node01',
    node_role: 'control-plane',
    cluster_id: 'c1',
    cluster_name: 'prod',
  },
  ...{ member_id: 'node01.3', keep_data: 'node01.3', bootstrap: false, bootstrap_epoch: 2 },
  ...{
    raft_addr: '10.77.0.11:2380',
    initial_peers: ['10.77.0.12:2380'],
    services: ['chainfire', 'flaredb', 'iam'],
  },
  services_api: { chainfire: { port: 2379, health: '/health' } },
  provisioning: {
    ...{ boot_id: 'b-of-the-installer', report_token: 'kept-on-the-disk', health_ca: 'PEM' },
    ...{
      report_url: 'http://10.77.0.1:8080/machines/x/reports',
      gate_url: 'http://10.77.0.1:8080/machines/x/gates',
    },
  },
}

async function installed(t: Test, onDisk: string | undefined): Promise<NodeWorld> {
  const world = await NodeWorld.create('127.0.0.1', [])
  t.teardown(() => world.destroy())
  await world.hurry()
  await world.setCommandLine('root=/dev/sda1 init=/nix/store/x/init loglevel=4')
  if (onDisk !== undefined) {
    await mkdir(path.join(world.directory, 'etc'))
    await writeFile(path.join(world.directory, 'etc', 'cluster-config.json'), onDisk)
  }
  return world
}

t.test('the configuration that the installer left is used, at each start, and nobody is asked', async (t) => {
  const text = JSON.stringify(CONFIG)
  const world = await installed(t, text)
  const { code, output } = await world.run('fetch-config.sh')
  t.equal(code, 0, output)
  t.match(output, /an installed system: using the configuration that its installer left/)
  const boot = await world.read('run/boot.env')
  for (const line of [
    "BOOT_ID='b-of-the-installer'",
    "MEMBER_ID='node01.3'",
    "EPOCH='2'",
    "KEEP_DATA_chainfire='node01.3'",
  ])
    t.ok(boot.includes(`${line}\n`), line)
  t.equal(await world.read('run/report-auth'), 'Authorization: Bearer kept-on-the-disk\n')
  t.equal(await world.read('etc/cluster-config.json'), text, 'byte for byte what it was')
  t.notMatch(await world.read('argv.log'), /^curl /m)
  const again = await world.run('fetch-config.sh')
  t.equal(again.code, 0)
  t.match(again.output, /was taken already/)
})

t.test('each start counts its reports on from the starts before: they are of one boot_id', async (t) => {
  const world = await installed(t, JSON.stringify(CONFIG))
  const start = async () => {
    await rm(path.join(world.directory, 'run'), { recursive: true, force: true })
    t.equal((await world.run('fetch-config.sh')).code, 0)
    t.equal((await world.run('fetch-config.sh')).code, 0, 'tried again by systemd, it is the same start')
    const { output } = await world.story('next_sequence\necho $sequence\nnext_sequence\necho $sequence')
    return output.trim().split('\n').map(Number)
  }
  t.strictSame(await start(), [1, 2])
  t.strictSame(await start(), [1_000_001, 1_000_002])
  t.strictSame(await start(), [2_000_001, 2_000_002])
  await writeFile(path.join(world.directory, 'etc', 'starts'), '123456')
  t.ok(
    (await start()).every((sequence) => sequence <= 2 ** 31),
    'within what the server takes',
  )
})

t.test('no configuration on the disk, or a broken one: it says so, and what is there stays', async (t) => {
  const none = await (await installed(t, undefined)).run('fetch-config.sh')
  t.equal(none.code, 1)
  t.match(none.output, /was not booted by Pilotlight/)
  for (const [text, complaint] of [
    ['{"schema_version": 1', /it is no JSON object/],
    [JSON.stringify({ ...CONFIG, schema_version: 2 }), /schema_version is not 1/],
  ] as const) {
    const world = await installed(t, text)
    const { code, output } = await world.run('fetch-config.sh')
    t.equal(code, 1)
    t.match(output, complaint)
    t.match(output, /the configuration on the disk is no cluster-config\.json/, 'no server is blamed')
    t.equal(await world.read('etc/cluster-config.json'), text)
  }
})
