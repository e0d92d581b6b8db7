import { chmodSync, existsSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t from 'tap'
import { answered, apiRequest } from '../../src/cli/api-request.ts'
import { setFiles, writeFiles } from '../support/image-files.ts'
import { runCli } from '../support/run-cli.ts'
import { ServerProcess } from '../support/server-process.ts'
import { scratchDir } from '../support/store-world.ts'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534

t.test('an API on a socket file is reached by what the configuration says, and by URL', async (t) => {
  const file = path.join(scratchDir(t), 'api.sock')
  const server = await ServerProcess.start(t, { api: `unix:${file}` })
  const set = writeFiles(path.join(server.workDir, 'set'), setFiles())
  const copy = path.join(server.workDir, 'copy.db')
  const ways = {
    configuration: { PILOTLIGHT_CONFIG: server.configFile },
    url: { PILOTLIGHT_URL: `unix:${file}`, PILOTLIGHT_TOKEN: server.token },
  }
  for (const [n, [way, env]] of Object.entries(ways).entries()) {
    const made = ['machine', 'add', `by-${way}`, '--mac', `02:00:00:00:00:0${n}`]
    t.match(await runCli([...made, '--role', 'worker'], env), { code: 0, stderr: '' }, `${way}: a body`)
    const list = await runCli(['machine', 'list', '--json'], env)
    t.match(list, { code: 0, stdout: new RegExp(`by-${way}`) }, `${way}: a list`)
    t.match(await runCli(['image', 'import', set, '--name', way], env), { code: 0 }, `${way}: an upload`)
    t.match(await runCli(['backup', copy, '--force'], env), { code: 0, stderr: '' }, `${way}: a download`)
    t.ok(existsSync(copy))
    t.match(await runCli(['machine', 'show', 'nobody'], env), {
      code: 1,
      stderr: /\(machine-unknown\)\ncure: /,
    })
  }
  const { checks } = JSON.parse((await runCli(['doctor', '--config', server.configFile, '--json'])).stdout)
  t.match(
    checks.find(({ name }: { name: string }) => name === 'DHCP sockets'),
    { detail: /^\S+: opened by the server$/ },
    'doctor asks there too',
  )
})

t.test('3: a socket file that nobody answers at is told as a server that is down', async (t) => {
  const dir = scratchDir(t)
  const set = writeFiles(path.join(dir, 'set'), setFiles())
  const file = path.join(dir, 'api.sock')
  const env = { PILOTLIGHT_URL: `unix:${file}`, PILOTLIGHT_TOKEN: 'x' }
  const commands = [
    ['machine', 'list'],
    ['image', 'import', set, '--name', 'x'],
    ['backup', path.join(dir, 'copy.db')],
  ]
  for (const command of commands) {
    t.strictSame(await runCli(command, env), {
      code: 3,
      stdout: '',
      stderr: `unix:${file} is not reachable (connect ENOENT ${file}): is pilotlight serve running?\n`,
    })
  }
})

t.test('3: a socket file of another user says what is missing', async (t) => {
  const dir = scratchDir(t)
  const file = path.join(dir, 'api.sock')
  const server = net.createServer().listen(file)
  t.teardown(() => server.close())
  chmodSync(dir, 0o755)
  chmodSync(file, 0o400)
  const access = { url: `unix:${file}`, token: 'x' }
  // Root may write to any file.
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    await t.rejects(answered(apiRequest(access, 'GET', '/machines'), access), {
      exitCode: 3,
      message: /is not reachable \(connect EACCES .*\): may this user write to it\?$/,
    })
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

t.test('3: an answer that breaks off is no bug of the command', async (t) => {
  const file = path.join(scratchDir(t), 'api.sock')
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"it'))
  })
  server.listen(file)
  t.teardown(() => server.close())
  const copy = path.join(scratchDir(t), 'copy.db')
  const env = { PILOTLIGHT_URL: `unix:${file}`, PILOTLIGHT_TOKEN: 'x' }
  for (const command of [
    ['machine', 'list'],
    ['backup', copy],
  ]) {
    t.match(await runCli(command, env), {
      code: 3,
      stdout: '',
      stderr: /^unix:.*: the answer broke off \(.*\): run it again\n$/,
    })
  }
  t.notOk(existsSync(copy))
})
