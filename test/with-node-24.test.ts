import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'

const SRC = new URL('../src/', import.meta.url).pathname
/** Makes a Node believe that it is an older one; what it starts is told nothing. */
const AS_NODE_18 =
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.4"}})'

function startOldNode(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  return spawn(process.execPath, ['--import', AS_NODE_18, program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function runOldNode(program: string, args: readonly string[]) {
  return run(startOldNode(program, args))
}

async function run(child: ChildProcessByStdio<null, Readable, Readable>) {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = await once(child, 'close')
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
}

/** Objects that hold others, first many that stay, then many more that are dropped at once. Prints a JSON line. */
const SHORT_LIVED = `
import v8 from 'node:v8'
const oldMib = () => v8.getHeapSpaceStatistics().find((s) => s.space_name === 'old_space').space_used_size / 1048576
const exchange = (number) => ({ number, request: [number, number, number, number], reply: { parts: [[number], [number]] } })
const ring = new Array(400_000)
function make(times, live) {
  let most = 0
  for (let number = 0; number < times; number += 1) {
    ring[number % live] = exchange(number)
    if (number % 20_000 === 0) most = Math.max(most, oldMib())
  }
  return most
}
make(400_000, 400_000)
globalThis.gc?.() // or a collection still under way is counted as growth
const before = oldMib()
console.log(JSON.stringify({ grewMib: make(1_000_000, 64) - before, execArgv: process.execArgv }))
`

function emptyDirectory(t: Test): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-old-node-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

t.test('under an old Node the command runs with the Node that npm brought', async (t) => {
  const help = await runOldNode(path.join(SRC, 'start.js'), ['--help'])
  t.equal(help.code, 0, help.stderr)
  t.match(help.stdout, /^Usage: pilotlight/)
})

t.test('its exit code is the exit code of the command', async (t) => {
  const wrong = await runOldNode(path.join(SRC, 'start.js'), ['no-such-command'])
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /unknown command 'no-such-command'/)
})

t.test('a signal is handed on: the server stops in order', { timeout: 60_000 }, async (t) => {
  const directory = emptyDirectory(t)
  const config = path.join(directory, 'pilotlight.yaml')
  writeFileSync(config, `boot: { port: 18099 }\napi: { listen: 'unix:${directory}/api.sock' }\n`)
  const child = startOldNode(path.join(SRC, 'start.js'), ['serve', '--config', config], {
    ...process.env,
    PILOTLIGHT_DATA_DIR: path.join(directory, 'data'),
    PILOTLIGHT_LOG_FORMAT: 'json',
  })
  const said: string[] = []
  const exited = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    if (line.includes('Pilotlight is serving')) child.kill('SIGTERM')
  }
  t.equal((await exited)[0], 0)
  t.match(said.at(-1), /Pilotlight has stopped/)
})

t.test('where there is no newer Node either, one line says so, with the cure', async (t) => {
  const directory = emptyDirectory(t)
  for (const file of ['start.js', 'code-cache.js', 'with-node-24.js', 'main.ts'])
    cpSync(path.join(SRC, file), path.join(directory, 'src', file))
  writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }')
  const { code, stdout, stderr } = await runOldNode(path.join(directory, 'src', 'start.js'), ['serve'])
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /^pilotlight needs Node 24 or newer, this is v[\d.]+: run npm ci, [^\n]*\n$/)
})

t.test('what lives for an exchange only never gets among what lives long', async (t) => {
  const program = path.join(emptyDirectory(t), 'short-lived.js')
  writeFileSync(program, SHORT_LIVED)
  const young = ['--max-semi-space-size=1', '--expose-gc', path.join(SRC, 'with-node-24.js'), program]
  const here = await run(spawn(process.execPath, young, { stdio: ['ignore', 'pipe', 'pipe'] }))
  const { grewMib } = JSON.parse(here.stdout) as { grewMib: number }
  t.ok(grewMib < 5, `the old generation grew by ${grewMib} MiB`)

  const brought = await runOldNode(path.join(SRC, 'with-node-24.js'), [program])
  const { execArgv } = JSON.parse(brought.stdout) as { execArgv: string[] }
  t.strictSame(execArgv, ['--no-allocation-site-pretenuring'])
})
