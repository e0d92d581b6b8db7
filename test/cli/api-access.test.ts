import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { runCli } from '../support/run-cli.ts'
import { scratchDir } from '../support/store-world.ts'

t.test('2: what no server can be reached by is said, and not taken for a server that is down', async (t) => {
  const home = scratchDir(t)
  mkdirSync(path.join(home, '.config', 'pilotlight', 'token'), { recursive: true })
  const good = { PILOTLIGHT_URL: 'http://127.0.0.1:1', PILOTLIGHT_TOKEN: 'x' }
  const cases: readonly (readonly [env: NodeJS.ProcessEnv, said: RegExp])[] = [
    [
      { ...good, PILOTLIGHT_URL: '127.0.0.1:8090' },
      /^PILOTLIGHT_URL: got "127.0.0.1:8090", want http:\/\/HOST:PORT or unix:\/FILE, such as http:\/\/127.0.0.1:8090\n$/,
    ],
    [{ ...good, PILOTLIGHT_URL: 'ftp://127.0.0.1' }, /^PILOTLIGHT_URL: got "ftp:/],
    [{ ...good, PILOTLIGHT_URL: '' }, /^PILOTLIGHT_URL: got "", want/],
    [{ ...good, PILOTLIGHT_TOKEN: 'geheim\n€' }, /^PILOTLIGHT_TOKEN: got other characters than/],
    [{ ...good, PILOTLIGHT_TOKEN: '' }, /^PILOTLIGHT_TOKEN: got nothing/],
    [{ HOME: home, PILOTLIGHT_URL: good.PILOTLIGHT_URL }, /token: got EISDIR, want a token file .*\ncure: /],
  ]
  for (const [env, said] of cases) {
    const result = await runCli(['machine', 'list'], env)
    t.match(result, { code: 2, stderr: said, stdout: '' })
    t.notMatch(result.stderr, /geheim/, 'a token is not told')
  }
})

t.test('1: an answer of something else than the API says what was wanted there', async (t) => {
  const server = http.createServer((_request, response) => response.writeHead(404).end('not here\n'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.match(await runCli(['machine', 'list'], { PILOTLIGHT_URL: url, PILOTLIGHT_TOKEN: 'x' }), {
    code: 1,
    stderr:
      /^got status 404, want an answer of Pilotlight's API \(404\)\ncure: let PILOTLIGHT_URL name the address of api.listen/,
  })
})
