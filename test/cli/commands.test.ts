import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { accessTo, runCli } from '../support/run-cli.ts'
import { ServerProcess } from '../support/server-process.ts'
import { scratchDir } from '../support/store-world.ts'

t.test(
  'the client commands against a server: tables, JSON and exit codes',
  { timeout: 290_000 },
  async (t) => {
    const server = await ServerProcess.start(t)
    await server.importImage()
    const env = accessTo(server)
    const run = (...args: string[]) => runCli(args, env)
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(...args, '--json')
      t.equal(code, 0, `${args.join(' ')}: ${stderr}`)
      return JSON.parse(stdout)
    }

    await t.test('image, cluster, machine', async (t) => {
      const [image] = await json('image', 'list')
      t.match(image, { id: /^[0-9a-f]{16}$/, name: 'test', files: [{ role: 'kernel' }, { role: 'initrd' }] })
      t.match(await json('cluster', 'create', 'prod', '--control-plane', '1'), { name: 'prod', ready: false })
      const added = await json(
        'machine',
        'add',
        'node01',
        '--mac',
        '52:54:00:99:00:01',
        '52-54-00-99-00-02',
        '--role',
        'control-plane',
        '--cluster',
        'prod',
        '--image',
        image.id,
        '--address',
        server.addressOf(1),
      )
      t.match(added, { name: 'node01', state: 'enrolled', macs: ['52:54:00:99:00:01', '52:54:00:99:00:02'] })
      const table = await run('machine', 'list')
      t.equal(table.code, 0)
      const [head = '', row = ''] = table.stdout.split('\n')
      t.match(head, /^NAME +MAC +ROLE +STATE +ADDRESS/)
      t.match(row, /^node01 +52:54:00:99:00:01 +control-plane +enrolled/)
      t.equal(head.indexOf('STATE'), row.indexOf('enrolled'), 'columns stand under their heads')
      t.match(await json('machine', 'show', '52:54:00:99:00:02'), { name: 'node01' }, 'by any of its MACs')
      t.match((await run('machine', 'show', 'node01')).stdout, /^name +node01$/m)
      t.match(await json('machine', 'edit', 'node01', '--boot-mode', 'local'), { boot_mode: 'local' })
      await json('machine', 'edit', 'node01', '--boot-mode', 'netboot')
    })

    await t.test('arm, hold, release, wait', async (t) => {
      t.match(await json('cluster', 'arm', 'prod', '--for', '8h'), { armed: ['node01'], refused: [] })
      t.match(await json('machine', 'hold', 'node01'), { state: 'held' })
      t.match(await json('machine', 'release', 'node01'), { name: 'node01' })
      const waited = await run('cluster', 'wait', 'prod', '--timeout', '1s')
      t.equal(waited.code, 4)
      t.match(waited.stderr, /prod/)
      t.match((await run('cluster', 'list')).stdout, /^prod +0 of 1 +open/m)
      t.match(await json('cluster', 'show', 'prod'), { machines: [{ name: 'node01' }] })
    })

    await t.test('events', async (t) => {
      const events = await json('event', 'list')
      const types = events.map((event: { type: string }) => event.type)
      for (const type of ['image.imported', 'cluster.created', 'machine.armed'])
        t.ok(types.includes(type), type)
      const later = await json('event', 'list', '--after', String(events.at(-2).seq))
      t.equal(later.length, 1)
      t.match((await run('event', 'list', '--limit', '1')).stdout, /^SEQ +AT +TYPE/)
      t.same(await json('lease', 'list'), [])
    })

    await t.test('1: what the server refuses, with the cure', async (t) => {
      const unknown = await run('machine', 'show', 'nobody')
      t.equal(unknown.code, 1)
      t.match(
        unknown.stderr,
        /there is no machine "nobody" \(machine-unknown\)\ncure: pilotlight machine list/,
      )
      const noImage = await run('machine', 'edit', 'node01', '--image', 'ffffffffffffffff')
      t.equal(noImage.code, 1)
      t.match(noImage.stderr, /ffffffffffffffff.*\ncure: /, 'a missing image is refused when it is assigned')
      t.equal((await run('machine', 'delete', 'node01')).code, 0)
      t.match((await run('machine', 'list')).stdout, /^NAME/)
      const denied = await runCli(['machine', 'list'], { ...env, PILOTLIGHT_TOKEN: 'x'.repeat(43) })
      t.equal(denied.code, 1)
      t.match(denied.stderr, /no good bearer token.*\ncure: set PILOTLIGHT_TOKEN/)
      t.notMatch(denied.stderr, 'x'.repeat(43))
    })

    await t.test('the token of this machine’s own server is found through its configuration', async (t) => {
      const { code, stderr } = await runCli(['cluster', 'list'], { PILOTLIGHT_CONFIG: server.configFile })
      t.equal(code, 0, stderr)
      t.match(readFileSync(path.join(server.dataDir, 'admin.token'), 'utf8'), /^[\w-]{43}\n$/)
    })
  },
)

t.test('2: usage; 3: not reachable', { timeout: 120_000 }, async (t) => {
  const nowhere = { PILOTLIGHT_URL: 'http://127.0.0.1:1', PILOTLIGHT_TOKEN: 'x' }
  const [unknown, missing, time, gone, nothing, tokenless] = await Promise.all([
    runCli(['frobnicate']),
    runCli(['machine', 'add', 'node01'], nowhere),
    runCli(['machine', 'arm', 'node01', '--for', 'soon'], nowhere),
    runCli(['machine', 'list'], nowhere),
    runCli([]),
    runCli(['machine', 'list'], {
      PILOTLIGHT_URL: 'http://127.0.0.1:1',
      PILOTLIGHT_DATA_DIR: '/nonexistent',
    }),
  ])
  t.match(unknown, { code: 2, stderr: /unknown command 'frobnicate'/ })
  t.match(missing, { code: 2, stderr: /required option '--mac/ })
  t.match(time, { code: 2, stderr: /"soon" is no time, want a number with s, m, h or d: 30m/ })
  t.match(gone, {
    code: 3,
    stderr: /^http:\/\/127.0.0.1:1 is not reachable \(.*\): is pilotlight serve running\?/,
  })
  t.match(nothing, { code: 2, stderr: /Usage: pilotlight/ })
  t.match(tokenless, { code: 2, stderr: /no token: set PILOTLIGHT_TOKEN/ })
})

t.test(
  'a file that is named and cannot be read or written is said, with the cure',
  { timeout: 120_000 },
  async (t) => {
    const nowhere = { PILOTLIGHT_URL: 'http://127.0.0.1:1', PILOTLIGHT_TOKEN: 'x' }
    const cases: readonly (readonly [args: readonly string[], code: number, said: RegExp])[] = [
      [
        ['cluster', 'create', 'prod', '--control-plane', '1', '--health-ca', '/no/ca.pem'],
        2,
        /^\/no\/ca.pem: got ENOENT, want a PEM file that this user may read\ncure: /,
      ],
      [
        ['cluster', 'set', 'prod', '--services-api', '/no/api.yaml'],
        2,
        /^\/no\/api.yaml: got ENOENT, want a YAML or JSON file that this user may read\ncure: /,
      ],
      [
        ['cluster', 'credential', 'set', 'prod', 'iam', '--file', '/'],
        2,
        /^\/: got EISDIR, want a file that this user may read\ncure: /,
      ],
      [['machine', 'file', 'put', 'node01', 'etc/x', '/no'], 2, /^\/no: got ENOENT, want a file .*\ncure: /],
      [['cluster', 'graph', '--output', '/no/x.svg'], 1, /^\/no\/x.svg: got ENOENT, want a place .*\ncure: /],
      [['units', '/proc/x'], 1, /^\/proc\/x\/\S+: got ENOENT, want a place .*\ncure: /],
    ]
    const results = await Promise.all(cases.map(([args]) => runCli(args, nowhere)))
    for (const [index, [args, code, said]] of cases.entries()) {
      t.match(results[index], { code, stderr: said, stdout: '' }, args.join(' '))
    }
  },
)

t.test('2: a file without a value takes no setting away', async (t) => {
  const nowhere = { PILOTLIGHT_URL: 'http://127.0.0.1:1', PILOTLIGHT_TOKEN: 'x' }
  const file = path.join(scratchDir(t), 'settings.yaml')
  for (const text of ['', '\n# not written yet\n', 'null']) {
    writeFileSync(file, text)
    for (const option of ['--services-api', '--services', '--extra-config', '--role-config']) {
      t.strictSame(await runCli(['cluster', 'set', 'prod', option, file], nowhere), {
        code: 2,
        stdout: '',
        stderr: `${file}: got nothing, want YAML or JSON\ncure: cluster set --clear takes a setting away\n`,
      })
    }
  }
})

t.test('2: a count that is none', { timeout: 120_000 }, async (t) => {
  const nowhere = { PILOTLIGHT_URL: 'http://127.0.0.1:1', PILOTLIGHT_TOKEN: 'x' }
  const cases = [
    ['cluster', 'create', 'prod', '--control-plane', 'three'],
    ['cluster', 'set', 'prod', '--control-plane', ''],
    ['machine', 'edit', 'node01', '--ram-mib', 'many'],
    ['machine', 'add', 'node01', '--mac', '52:54:00:99:00:01', '--ram-mib', '1e3'],
    ['boot-test', '--simulated', '--image', 'demo', '--memory', 'much'],
  ]
  const results = await Promise.all(cases.map((args) => runCli(args, nowhere)))
  for (const [index, args] of cases.entries()) {
    t.match(
      results[index],
      { code: 2, stderr: /is invalid. Want a whole number/, stdout: '' },
      args.join(' '),
    )
  }
})
