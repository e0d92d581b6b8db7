import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import type { Command } from 'commander'
import t from 'tap'
import { makeProgram } from '../../src/cli/program.ts'
import { runCli } from '../support/run-cli.ts'
import { scratchDir } from '../support/store-world.ts'

const READY = { name: 'prod', ready: true, ready_control_plane: 3, expected_control_plane: 3 }

function* withoutJson(command: Command, words: readonly string[] = []): Generator<string> {
  const takesIt = command.options.some(({ long }) => long === '--json')
  if (command.commands.length === 0 && !takesIt) yield words.join(' ')
  for (const inner of command.commands) yield* withoutJson(inner, [...words, inner.name()])
}

t.test('every command takes --json', async (t) => {
  t.strictSame([...withoutJson(makeProgram())], [])
})

t.test('what answers with no body has a word for scripts too', async (t) => {
  const server = http.createServer((request, response) => {
    request.resume()
    if (request.method === 'GET') response.end(JSON.stringify(READY))
    else response.writeHead(204).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const secret = path.join(scratchDir(t), 'secret')
  writeFileSync(secret, 'Bearer x\n')
  const credential = { cluster: 'prod', service: 'iam' }
  const cases: readonly (readonly [args: readonly string[], said: unknown])[] = [
    [['machine', 'delete', 'node01'], { deleted: 'node01' }],
    [['machine', 'file', 'remove', 'node01', 'etc/motd'], { deleted: 'etc/motd' }],
    [['cluster', 'delete', 'prod'], { deleted: 'prod' }],
    [['cluster', 'credential', 'set', 'prod', 'iam', '--file', secret], { ...credential, credential: true }],
    [['cluster', 'credential', 'drop', 'prod', 'iam'], { ...credential, credential: false }],
    [['cluster', 'wait', 'prod'], READY],
  ]
  const env = { PILOTLIGHT_URL: `http://127.0.0.1:${port}`, PILOTLIGHT_TOKEN: 'x' }
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await runCli([...args, '--json'], env)
    t.equal(code, 0, stderr)
    t.strictSame(JSON.parse(stdout), said, args.join(' '))
  }
  t.match(JSON.parse((await runCli(['cluster', 'graph', '--json'])).stdout), { nodes: Array })
  t.match(await runCli(['cluster', 'graph', '--json', '--format', 'svg']), { code: 2 })
})
