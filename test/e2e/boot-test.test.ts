import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'

const START = new URL('../../src/start.js', import.meta.url).pathname
const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

t.test(
  'UEFI HTTP Boot in QEMU gets its script; the time is up: serial log and capture are kept',
  { skip, timeout: 400_000 },
  async (t) => {
    const workDir = await mkdtemp(path.join(os.tmpdir(), 'boot-test-e2e-'))
    t.teardown(() => rm(workDir, { recursive: true, force: true }))
    const junit = path.join(workDir, 'boot.xml')
    const artifacts = path.join(workDir, 'kept')
    const args = [
      'boot-test',
      '--image',
      'demo',
      '--firmware',
      'uefi-http',
      '--junit',
      junit,
      '--artifacts',
      artifacts,
      '--json',
    ]
    // Long enough for firmware and loader on a busy machine, too short for systemd and its steps.
    const child = spawn(process.execPath, [START, ...args, '--timeout', '25s'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const out: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.resume()
    const [code] = await once(child, 'close')
    t.equal(code, 4)
    const answer = JSON.parse(Buffer.concat(out).toString())
    t.match(answer, { mode: 'qemu', outcome: 'timed-out' })
    const [machine] = answer.machines
    t.match(machine, { firmware: 'UEFI x64 HTTP Boot', diagnosis: { name: 'node01' } })
    t.match(readFileSync(junit, 'utf8'), /name="offered" time="[\d.]+"(?:\/|><failure)/)
    for (const name of ['node01.serial.log', 'node01.pcap', 'server.log'])
      t.ok(existsSync(path.join(artifacts, name)) && statSync(path.join(artifacts, name)).size > 100, name)
    const pcap = readFileSync(path.join(artifacts, 'node01.pcap'))
    t.ok(pcap.includes('HTTPClient:Arch:00016'), 'the capture holds the firmware’s own DHCP')
    t.strictSame(
      readdirSync('/run/netns').filter((name) => name.startsWith('pilotlight-')),
      [],
      'no network namespace is left',
    )
  },
)
