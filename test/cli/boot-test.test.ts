import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { junitXml } from '../../src/cli/junit.ts'

const START = new URL('../../src/start.js', import.meta.url).pathname
const workDir = await mkdtemp(path.join(os.tmpdir(), 'boot-test-test-'))
t.teardown(() => rm(workDir, { recursive: true, force: true }))

t.test(
  'three simulated machines of three firmwares: ready, with a JUnit report and JSON',
  { timeout: 110_000 },
  async (t) => {
    const junit = path.join(workDir, 'ready.xml')
    const { code, stdout, stderr } = await ended(
      bootTest('--firmware', 'bios,uefi,uefi-http', '--machines', '3', '--junit', junit, '--json'),
    )
    t.equal(code, 0, stderr)
    const answer = JSON.parse(stdout)
    t.match(answer, { mode: 'simulated', image: 'demo', outcome: 'ready' })
    t.strictSame(
      answer.machines.map((machine: { firmware: string }) => machine.firmware),
      ['BIOS, iPXE ROM', 'UEFI x64 PXE', 'UEFI x64 HTTP Boot'],
    )
    const xml = readFileSync(junit, 'utf8')
    t.match(xml, /<testsuites tests="\d+" failures="0" skipped="0">/)
    t.equal(xml.match(/<testsuite name=/g)?.length, 3, 'a suite a machine')
    t.match(xml, /<testcase classname="node02 \(UEFI x64 PXE\)" name="loader-sent" time="[\d.]+"\/>/)
    t.notOk(existsSync(path.join(workDir, 'artifacts')), 'nothing is kept of what went well')
  },
)

t.test(
  'one that is not ready in time: exit code 4, the cause, and what is kept',
  { timeout: 110_000 },
  async (t) => {
    const junit = path.join(workDir, 'late.xml')
    const { code, stdout } = await ended(
      bootTest('--firmware', 'uefi', '--timeout', '0s', '--junit', junit, '--json'),
    )
    t.equal(code, 4)
    const answer = JSON.parse(stdout)
    t.equal(answer.outcome, 'timed-out')
    t.match(answer.machines[0].diagnosis.name, 'node01')
    t.match(readFileSync(junit, 'utf8'), /failures="1".*<failure message=/s)
    t.strictSame(answer.machines[0].kept, [path.join(workDir, 'artifacts', 'server.log')])
    t.ok(existsSync(answer.machines[0].kept[0]))
  },
)

t.test(
  'interrupted: exit code 1, a report of what was, and no process left',
  { timeout: 110_000 },
  async (t) => {
    const child = bootTest('--firmware', 'bios', '--machines', '3')
    let said = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      // Once: a second one ends it without cleaning up, as an impatient person wants it.
      if (said.includes('node01')) return
      said += chunk
      if (said.includes('node01')) child.kill('SIGINT')
    })
    const { code, stderr } = await ended(child)
    t.equal(code, 1, `${said} ${stderr}`)
    const left = readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && commandOf(name).includes('pilotlight-boot-test-'),
    )
    t.strictSame(left, [])
  },
)

t.test('what cannot be asked is refused with what is wanted', async (t) => {
  const firmware = await ended(bootTest('--firmware', 'coreboot'))
  t.equal(firmware.code, 2)
  t.match(firmware.stderr, /got "coreboot", want one or more of bios,bios-pxe,uefi,uefi-http/)
  const machines = await ended(bootTest('--machines', '10'))
  t.match(machines, { code: 2, stderr: /--machines: got 10, want 1 to 9/ })
  const image = await ended(bootTest('--image', workDir))
  t.match(image, { code: 2, stderr: /holds no netboot\.ipxe/ })
})

t.test('JUnit: text of machines is text', (t) => {
  const failure = { message: 'a "b" <c> & \u0007', text: ']]> <x/>' }
  const cases = [{ name: 'offered', seconds: 1.5, outcome: 'failed', failure } as const]
  const xml = junitXml([{ name: 'node01', cases, output: '<&>' }])
  t.match(xml, 'message="a &quot;b&quot; &lt;c&gt; &amp; ?"')
  t.match(xml, '>]]&gt; &lt;x/&gt;</failure>')
  t.match(xml, '<system-out>&lt;&amp;&gt;</system-out>')
  t.match(xml, 'tests="1" failures="1" skipped="0" time="1.500"')
  t.end()
})

function bootTest(...args: readonly string[]): ChildProcess {
  const image = args.includes('--image') ? [] : ['--image', 'demo']
  const all = [
    START,
    'boot-test',
    ...image,
    '--simulated',
    '--artifacts',
    path.join(workDir, 'artifacts'),
    ...args,
  ]
  return spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function ended(child: ChildProcess): Promise<{ code: number; stdout: string; stderr: string }> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = await once(child, 'close')
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
