import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { LoopbackServer } from '../support/loopback-server.ts'

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly cure: string
}

const START = new URL('../../src/start.js', import.meta.url).pathname

async function doctor(config: string): Promise<readonly Check[]> {
  const args = [START, 'doctor', '--json', '--config', config]
  // It ends with an error when anything is wrong, such as this machine's small receive buffer; what it says counts.
  const said = await promisify(execFile)(process.execPath, args).catch((error) => error as { stdout: string })
  return (JSON.parse(said.stdout) as { checks: Check[] }).checks
}

t.test(
  'doctor --json: what a machine would get, from the server that runs',
  { timeout: 120_000 },
  async (t) => {
    const server = await LoopbackServer.start({ network: 93 })
    t.teardown(() => server.stop())
    const config = path.join(server.workDir, 'pilotlight.yaml')
    let checks = await doctor(config)
    for (const check of checks) {
      t.ok(check.name)
      t.type(check.ok, 'boolean')
      t.equal(check.ok, check.cure === '', `${check.name}: a cure when, and only when, something is wrong`)
    }
    while (!checks.some(({ name, ok }) => name === 'self-test' && ok)) checks = await doctor(config)
    t.match(
      checks.find(({ name }) => name === 'server'),
      { ok: true, detail: /it is serving/ },
    )
    t.match(
      checks.find(({ name }) => name === 'self-test'),
      { detail: /fetched as a machine does, 0 not/ },
    )
    t.notOk(
      checks.some(({ name }) => name.endsWith(' port')),
      'its own ports are not in its way',
    )
    await server.halt()
    checks = await doctor(config)
    t.match(
      checks.find(({ name }) => name === 'boot HTTP port'),
      { ok: true, detail: /is free/ },
    )
  },
)
