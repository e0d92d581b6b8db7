import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'

const START = new URL('../../src/start.js', import.meta.url).pathname
const STEPS = ['chainfire-cluster-join', 'flaredb-cluster-join', 'iam-initial-setup', 'cluster-health-check']
const WIRE_STAGES = ['offered', 'script-sent', 'kernel-sent', 'initrd-sent', 'config-redeemed']

const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

interface DemoDocument {
  readonly mode: string
  readonly cluster: { readonly ready: boolean }
  readonly machines: readonly {
    readonly name: string
    readonly firmware: string
    readonly state: string
    readonly stages: readonly { readonly stage: string; readonly after_ms: number; readonly bytes: number }[]
    readonly steps: readonly {
      readonly step: string
      readonly state: string
      readonly started_at: string
      readonly ended_at: string
    }[]
  }[]
  readonly seconds: number
}

t.test(
  'three QEMU machines of three firmwares boot to "cluster ready"',
  { skip, timeout: 900_000 },
  async (t) => {
    const { code, stdout, stderr } = await runDemo(['--json'])
    t.equal(code, 0, stderr.slice(-2000))
    const demo = JSON.parse(stdout) as DemoDocument
    t.equal(demo.mode, 'qemu')
    t.equal(demo.cluster.ready, true)
    t.comment(`ready in ${demo.seconds} s`)
    t.strictSame(
      demo.machines.map((machine) => machine.firmware),
      ['BIOS, iPXE ROM', 'BIOS, plain PXE', 'UEFI x64 PXE'],
    )
    for (const machine of demo.machines) {
      t.equal(machine.state, 'ready', machine.name)
      const reached = machine.stages.map((stage) => stage.stage)
      for (const stage of [...WIRE_STAGES, ...STEPS, 'ready'])
        t.ok(reached.includes(stage), `${machine.name} ${stage}`)
      const times = machine.stages.map((stage) => stage.after_ms)
      t.strictSame(
        times,
        [...times].sort((a, b) => a - b),
        `${machine.name}: stages in order`,
      )
      const kernel = machine.stages.find((stage) => stage.stage === 'kernel-sent')
      t.ok((kernel?.bytes ?? 0) > 1_000_000, 'a whole kernel')
      t.strictSame(
        machine.steps.map((step) => step.state),
        STEPS.map(() => 'succeeded'),
      )
      const ends = machine.steps.map((step) => Date.parse(step.ended_at))
      t.strictSame(
        ends,
        [...ends].sort((a, b) => a - b),
        `${machine.name}: steps in the seed's order`,
      )
    }
    const loaded = demo.machines.filter((machine) =>
      machine.stages.some((stage) => stage.stage === 'loader-sent'),
    )
    t.strictSame(
      loaded.map((machine) => machine.firmware),
      ['BIOS, plain PXE', 'UEFI x64 PXE'],
      'the iPXE ROM needs no loader, the others get one by TFTP',
    )
    const joinEnds = demo.machines.map((machine) => Date.parse(machine.steps[0]?.ended_at ?? ''))
    t.equal(new Set(joinEnds).size, 3, 'one Chainfire join after the other')
    checkNothingIsLeft(t)
  },
)

t.test('a demo that is interrupted leaves nothing behind', { skip, timeout: 600_000 }, async (t) => {
  const child = spawn(process.execPath, [START, 'demo'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const look = (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('offered')) resolve()
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.once('exit', () => reject(new Error(`ended before it was interrupted:\n${said}`)))
  })
  child.removeAllListeners('exit')
  const exited = once(child, 'exit')
  child.kill('SIGINT')
  const [code] = await exited
  t.equal(code, 1)
  checkNothingIsLeft(t)
})

async function runDemo(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [START, 'demo', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = await once(child, 'close')
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
}

/** No namespace of a rack, and no process that carries a rack's name in its arguments. */
function checkNothingIsLeft(t: Test): void {
  const namespaces = readNames('/run/netns').filter((name) => name.startsWith('pilotlight-'))
  t.strictSame(namespaces, [], 'no network namespace')
  const commands = readNames('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readText(`/proc/${pid}/cmdline`))
  t.strictSame(
    commands.filter((command) => command.includes('serial=RACK-') || command.includes('pilotlight-demo-')),
    [],
    'no machine and no server',
  )
  t.strictSame(readNames('/run/pilotlight-racks'), [], 'no record of a rack')
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
