import { existsSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type QemuMachine, qemuMachine } from '../rack/qemu-rack.ts'
import type { Rack } from '../rack/rack.ts'
import type { MachineView, RunResult } from '../rack/rack-run.ts'
import { makeSimulatedRack, type SimulatedFirmware } from '../rack/simulated-rack.ts'
import { call } from './api-client.ts'
import { documentOf, suiteOf, type TestedMachine } from './boot-test-report.ts'
import { printResult } from './demo-view.ts'
import { secondsOf } from './duration.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { junitXml } from './junit.ts'
import { readNamed } from './named-file.ts'
import { type DiagnosisAnswer, printDiagnosis } from './print-diagnosis.ts'
import { PROGRAM_DIR } from './program-dir.ts'
import { inRack, type RackParts, type RackSession } from './rack-session.ts'

export interface BootTestOptions {
  readonly image: string
  readonly firmware: string
  readonly machines?: string
  readonly timeout: string
  readonly memory: number
  readonly healthCa?: string
  readonly junit?: string
  readonly artifacts: string
  readonly simulated?: boolean
  readonly json?: boolean
}

const CLUSTER = 'boot-test'
const MOST_MACHINES = 9
const FIRMWARES: { readonly [Name in SimulatedFirmware]: (number: number) => QemuMachine } = {
  bios: (number) => qemuMachine(number, 'bios', 'BIOS, iPXE ROM'),
  'bios-pxe': (number) => ({ ...qemuMachine(number, 'bios', 'BIOS, plain PXE'), loader: 'ipxe.pxe' }),
  uefi: (number) => qemuMachine(number, 'uefi', 'UEFI x64 PXE'),
  'uefi-http': (number) => qemuMachine(number, 'uefi-http', 'UEFI x64 HTTP Boot'),
}

type Outcome = 'ready' | 'failed' | 'timed-out' | 'interrupted'
const EXIT_OF: { readonly [Name in Outcome]: ExitCode } = {
  ready: EXIT.done,
  failed: EXIT.failed,
  'timed-out': EXIT.timedOut,
  interrupted: EXIT.failed,
}

/** `pilotlight boot-test`: an image, a firmware matrix, a private rack, and a verdict for a CI system. */
export async function bootTest(options: BootTestOptions): Promise<void> {
  const firmwares = firmwareOf(options)
  const image = imageOf(options)
  const timeoutMs = secondsOf(options.timeout) * 1000
  const wish = {
    name: CLUSTER,
    simulated: options.simulated === true,
    json: options.json === true,
    timeoutMs: { qemu: timeoutMs, simulated: timeoutMs },
    stopsAtFailure: true,
    makeRack: (parts: RackParts) =>
      parts.mode === 'simulated'
        ? makeSimulatedRack(parts.workDir, firmwares, image?.directory)
        : realRack(options, firmwares, image, parts),
  }
  await inRack(wish, async (session) => {
    const { mode, result, seconds, signal } = session
    const outcome = outcomeOf(result, signal)
    const tested = await Promise.all(result.views.map((one) => examine(one, session, options.artifacts)))
    await report(options, mode, outcome, tested, seconds)
    if (outcome !== 'ready') throw new CliFailure(`boot test: ${outcome}`, EXIT_OF[outcome])
  })
}

/** One firmware a machine: the list in turn, as long as there are machines. */
function firmwareOf({ firmware, machines }: BootTestOptions): SimulatedFirmware[] {
  const names = firmware.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !Object.hasOwn(FIRMWARES, name))
  if (unknown !== undefined)
    throw new CliFailure(
      `--firmware: got ${JSON.stringify(unknown)}, want one or more of ${Object.keys(FIRMWARES).join(',')}`,
      EXIT.usage,
    )
  const count = machines === undefined ? names.length : Number(machines)
  if (!Number.isInteger(count) || count < 1 || count > MOST_MACHINES)
    throw new CliFailure(`--machines: got ${machines ?? count}, want 1 to ${MOST_MACHINES}`, EXIT.usage)
  return Array.from({ length: count }, (_, index) => names[index % names.length] as SimulatedFirmware)
}

/** The image directory with the CA of its services; undefined: the demo's own. */
function imageOf({ image, healthCa }: BootTestOptions): { directory: string; caPem?: string } | undefined {
  if (image === 'demo') return undefined
  const directory = path.resolve(image)
  if (!existsSync(path.join(directory, 'netboot.ipxe')))
    throw new CliFailure(
      `--image: ${directory} holds no netboot.ipxe; want demo, or a directory with netboot.ipxe, kernel and initrd`,
      EXIT.usage,
    )
  return {
    directory,
    ...(healthCa === undefined ? {} : { caPem: readNamed(healthCa, 'a PEM file').toString() }),
  }
}

async function realRack(
  { memory }: BootTestOptions,
  firmwares: readonly SimulatedFirmware[],
  image: { directory: string; caPem?: string } | undefined,
  { workDir, say, signal }: RackParts,
): Promise<Rack> {
  const { makeQemuRack } = await import('../rack/qemu-rack.ts')
  return makeQemuRack({
    workDir,
    programDir: PROGRAM_DIR,
    say,
    signal,
    machines: firmwares.map((name, index) => FIRMWARES[name](index + 1)),
    memoryMiB: memory,
    captures: true,
    ...(image === undefined ? {} : { image }),
  })
}

function outcomeOf({ isReady, views }: RunResult, signal: AbortSignal): Outcome {
  if (isReady) return 'ready'
  if (signal.aborted) return 'interrupted'
  return views.some((view) => view.failure !== undefined) ? 'failed' : 'timed-out'
}

/** Asks why a machine is not ready, and keeps what was seen of it. */
async function examine(
  view: MachineView,
  { access, rack, server }: RackSession,
  artifacts: string,
): Promise<TestedMachine> {
  if (view.state === 'ready') return { view, diagnosis: undefined, kept: [] }
  const { machine } = view
  const diagnosis = await call<DiagnosisAnswer>(
    'GET',
    `/machines/${machine.name}/diagnosis`,
    undefined,
    access,
  )
  await mkdir(artifacts, { recursive: true })
  const kept: string[] = []
  for (const [from, name] of [
    [rack.logOf(machine), `${machine.name}.serial.log`],
    [rack.captureOf(machine), `${machine.name}.pcap`],
    [server.logFile, 'server.log'],
  ] as const) {
    if (from === '' || !existsSync(from)) continue
    await copyFile(from, path.join(artifacts, name))
    kept.push(path.join(artifacts, name))
  }
  return { view, diagnosis, kept }
}

async function report(
  options: BootTestOptions,
  mode: string,
  outcome: Outcome,
  tested: readonly TestedMachine[],
  seconds: number,
): Promise<void> {
  if (options.junit !== undefined) {
    await mkdir(path.dirname(path.resolve(options.junit)), { recursive: true })
    await writeFile(options.junit, junitXml(tested.map(suiteOf)))
  }
  if (options.json === true) {
    const facts = { mode, image: options.image, outcome, seconds: Math.round(seconds * 10) / 10 }
    return console.log(JSON.stringify(documentOf(facts, tested), null, 2))
  }
  console.log('')
  printResult(tested.map(({ view }) => view))
  for (const { diagnosis, kept } of tested) {
    if (diagnosis !== undefined) printDiagnosis(diagnosis)
    for (const file of kept) console.log(`  kept: ${file}`)
  }
  console.log(`boot test: ${outcome} (${seconds.toFixed(1)} s)`)
}
