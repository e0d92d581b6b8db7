import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { ROOT, START_SCRIPT } from '../support/server-process.ts'

const SETPRIV = ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
const isRoot = process.getuid?.() === 0
const STEPS = ['chainfire-cluster-join', 'flaredb-cluster-join', 'iam-initial-setup', 'cluster-health-check']

/** A directory that everybody may write: the temporary directory of one demo, so that its leavings can be seen. */
const TMP = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-demo-of-nobody-'))
chmodSync(TMP, 0o777)
t.teardown(() => rmSync(TMP, { recursive: true, force: true }))

/** The program where the user nobody can read it: here, or a copy. */
function readableProgram(): { start: string; node: string } {
  const here = { start: START_SCRIPT, node: process.execPath }
  const [command = '', ...args] = [...SETPRIV, process.execPath, START_SCRIPT, '--help']
  if (!isRoot || spawnSync(command, args).status === 0) return here
  const copy = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-copy-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  chmodSync(copy, 0o755)
  for (const name of ['src', 'boot-assets', 'migrations', 'package.json', 'node_modules'])
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true, verbatimSymlinks: true })
  const node = path.join(copy, path.relative(ROOT, process.execPath))
  return { start: path.join(copy, 'src', 'start.js'), node: existsSync(node) ? node : process.execPath }
}

function startDemo(...more: string[]): ChildProcess {
  const { start, node } = readableProgram()
  // `env -i`: what tap adds to the environment of a child would have nobody write into this directory.
  const env = ['-i', `PATH=${process.env.PATH}`, `HOME=${TMP}`, `TMPDIR=${TMP}`]
  const args = [...env, ...(isRoot ? SETPRIV : []), node, start, 'demo', '--simulated', ...more]
  return spawn('/usr/bin/env', args, { cwd: TMP, stdio: ['ignore', 'pipe', 'pipe'] })
}

function leftBehind(): readonly string[] {
  const files = readdirSync(TMP).filter((name) => name.startsWith('pilotlight'))
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid).includes(TMP))
  return [...files, ...processes]
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

t.test('the simulated demo needs no root, ends ready and leaves nothing', { timeout: 240_000 }, async (t) => {
  const child = startDemo('--json')
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  t.equal(code, 0, stderr.slice(-2000))
  const demo = JSON.parse(stdout)
  t.match(demo, { mode: 'simulated', cluster: { name: 'demo', ready: true } })
  t.comment(`${demo.seconds} s`)
  t.equal(demo.machines.length, 3)
  for (const machine of demo.machines) {
    t.equal(machine.state, 'ready', machine.name)
    t.same(
      machine.steps.map(({ step, state }: { step: string; state: string }) => `${step} ${state}`),
      STEPS.map((step) => `${step} succeeded`),
    )
  }
  t.same(leftBehind(), [])
})

t.test('Ctrl-C in the middle of it leaves nothing, and is a failure', { timeout: 240_000 }, async (t) => {
  const child = startDemo()
  const exited = once(child, 'exit')
  await new Promise<void>((resolve) =>
    child.stdout?.on('data', (chunk: Buffer) => {
      if (/offered|powered on/.test(chunk.toString())) resolve()
    }),
  )
  child.kill('SIGINT')
  t.equal((await exited)[0], 1)
  t.same(leftBehind(), [])
})

t.test('a reader that goes away ends it, and nothing is left', { timeout: 240_000 }, async (t) => {
  const child = startDemo()
  const exited = once(child, 'exit')
  await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()))
  child.stdout?.destroy()
  t.equal((await exited)[0], 1)
  t.same(leftBehind(), [])
})
