import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { runCli } from '../support/run-cli.ts'
import { ServerProcess } from '../support/server-process.ts'

t.test('a lost admin.token is made anew, and the old token is void', { timeout: 120_000 }, async (t) => {
  const server = new ServerProcess(t)
  const renew = ['token', 'renew', '--config', server.configFile]
  t.match(await runCli(renew), { code: 1, stderr: /pilotlight\.db is not there: / }, 'nothing to renew yet')
  await server.start()
  const old = server.token
  rmSync(path.join(server.dataDir, 'admin.token'))
  t.match(await runCli(renew), { code: 1, stderr: /\(data-dir-in-use\)\ncure: stop / }, 'not beside a server')
  await server.end('SIGTERM')

  const renewed = await runCli([...renew, '--json'])
  t.match(renewed, { code: 0, stderr: '' })
  t.strictSame(JSON.parse(renewed.stdout), { data_dir: server.dataDir, voided: 1 })
  await server.start()
  const ask = (token: string) =>
    runCli(['event', 'list', '--json'], { PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: token })
  t.match(await ask(old), { code: 1, stderr: /\(unauthorized\)/ })
  const { code, stdout } = await ask(readFileSync(path.join(server.dataDir, 'admin.token'), 'utf8').trim())
  t.equal(code, 0)
  const audit = (JSON.parse(stdout) as { type: string }[]).filter(({ type }) => type === 'token.renewed')
  t.match(audit, [{ data: { by: 'token renew', name: 'admin', role: 'admin' } }], 'and it is told')
})
