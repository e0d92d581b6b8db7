import path from 'node:path'
import type { Rack } from '../rack/rack.ts'
import type { MachineView } from '../rack/rack-run.ts'
import { makeSimulatedRack } from '../rack/simulated-rack.ts'
import { printResult } from './demo-view.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { PROGRAM_DIR } from './program-dir.ts'
import { inRack, type RackParts, type RackSession } from './rack-session.ts'

export interface DemoOptions {
  readonly simulated?: boolean
  readonly keep?: boolean
  readonly json?: boolean
}

const CLUSTER = 'demo'
const TIMEOUT_MS = { qemu: 600_000, simulated: 60_000 } as const

/** `pilotlight demo`: a private rack, the real server in it, three machines to "cluster ready", and nothing left. */
export function demo(options: DemoOptions): Promise<void> {
  const wish = {
    name: CLUSTER,
    simulated: options.simulated === true,
    json: options.json === true,
    timeoutMs: TIMEOUT_MS,
    makeRack,
  }
  return inRack(wish, (session) => show(session, options))
}

async function makeRack({ mode, workDir, say, signal }: RackParts): Promise<Rack> {
  if (mode === 'simulated') return makeSimulatedRack(workDir)
  const { makeQemuRack } = await import('../rack/qemu-rack.ts')
  return makeQemuRack({ workDir, programDir: PROGRAM_DIR, say, signal })
}

/** Prints what came of it; with `--keep` everything stays up until Ctrl-C. */
async function show(session: RackSession, options: DemoOptions): Promise<void> {
  const { mode, rack, server, result, seconds, signal, say } = session
  if (options.json === true)
    console.log(JSON.stringify(document(mode, result.isReady, result.views, seconds), null, 2))
  else {
    console.log('')
    printResult(result.views)
    console.log(
      `cluster ${CLUSTER}: ${result.isReady ? 'ready' : 'not ready'}, ${result.readyCount} of ${rack.machines.length} (${seconds} s)`,
    )
  }
  if (!result.isReady) {
    if (!signal.aborted) {
      session.keepFiles()
      say(`logs are kept in ${session.workDir}`)
    }
    throw new CliFailure('the cluster did not become ready', signal.aborted ? EXIT.failed : EXIT.timedOut)
  }
  if (options.keep === true) {
    say(
      `kept running: API ${server.url}, token in ${path.join(server.dataDir, 'admin.token')}; Ctrl-C ends it`,
    )
    await untilAborted(signal)
  }
}

function document(mode: string, isReady: boolean, views: readonly MachineView[], seconds: number) {
  return {
    mode,
    cluster: { name: CLUSTER, ready: isReady },
    machines: views.map((view) => ({
      name: view.machine.name,
      firmware: view.machine.firmware,
      state: view.state,
      stages: view.boot?.stages ?? [],
      steps: view.boot?.steps ?? [],
      seconds: view.seconds,
    })),
    seconds,
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    // Nothing else keeps this process alive while it waits for Ctrl-C.
    const alive = setInterval(() => undefined, 60_000)
    signal.addEventListener('abort', () => {
      clearInterval(alive)
      resolve()
    })
  })
}
