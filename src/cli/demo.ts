import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { type ChildServer, startChildServer } from '../rack/child-server.ts'
import type { Rack } from '../rack/rack.ts'
import { type MachineView, runRack } from '../rack/rack-run.ts'
import { makeSimulatedRack } from '../rack/simulated-rack.ts'
import { DEBIAN_IPXE_DIR } from '../servers/files/install-loaders.ts'
import { call } from './api-client.ts'
import { chooseDemoMode } from './demo-mode.ts'
import { DemoView, printResult } from './demo-view.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { PROGRAM_DIR } from './program-dir.ts'
import { writeStandInLoaders } from './stand-in-loaders.ts'

export interface DemoOptions {
  readonly simulated?: boolean
  readonly keep?: boolean
  readonly json?: boolean
}

const CLUSTER = 'demo'
const TIMEOUT_MS = { qemu: 280_000, simulated: 60_000 } as const

/** `pilotlight demo`: a private rack, the real server in it, three machines to "cluster ready", and nothing left. */
export async function demo(options: DemoOptions): Promise<void> {
  const say = (line: string) =>
    void (options.json === true ? process.stderr : process.stdout).write(`${line}\n`)
  const startedAt = Date.now()
  const mode = chooseDemoMode(options.simulated === true)
  say(`mode: ${mode.mode} (${mode.why})`)
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => stopped.abort(signal))
  const workDir = await mkdtemp(path.join(os.tmpdir(), 'pilotlight-demo-'))
  let rack: Rack | undefined
  let server: ChildServer | undefined
  let isKept = false
  try {
    rack =
      mode.mode === 'simulated'
        ? await makeSimulatedRack(workDir)
        : await makeRealRack(workDir, say, stopped.signal)
    const loadersFrom = existsSync(DEBIAN_IPXE_DIR)
      ? DEBIAN_IPXE_DIR
      : await writeStandInLoaders(workDir, mode.mode)
    server = await startChildServer({
      rack,
      workDir,
      startScript: path.join(PROGRAM_DIR, 'src', 'start.js'),
      loadersFrom,
    })
    say(`server: up, API at ${server.url}`)
    const access = { url: server.url, token: server.token }
    const view = new DemoView(options.json === true ? process.stderr : process.stdout)
    const result = await runRack({
      rack,
      call: (method, route, body) => call(method, route, body, access),
      clusterName: CLUSTER,
      timeoutMs: TIMEOUT_MS[mode.mode],
      onProgress: (views) => view.draw(views),
      signal: stopped.signal,
    })
    const seconds = Math.round((Date.now() - startedAt) / 100) / 10
    if (options.json === true)
      console.log(JSON.stringify(document(mode.mode, result.isReady, result.views, seconds), null, 2))
    else {
      console.log('')
      printResult(result.views)
      console.log(
        `cluster ${CLUSTER}: ${result.isReady ? 'ready' : 'not ready'}, ${result.readyCount} of ${rack.machines.length} (${seconds} s)`,
      )
    }
    if (!result.isReady) {
      isKept = !stopped.signal.aborted
      if (isKept) say(`logs are kept in ${workDir}`)
      throw new CliFailure(
        'the cluster did not become ready',
        stopped.signal.aborted ? EXIT.failed : EXIT.timedOut,
      )
    }
    if (options.keep === true) {
      say(
        `kept running: API ${server.url}, token in ${path.join(server.dataDir, 'admin.token')}; Ctrl-C ends it`,
      )
      await untilAborted(stopped.signal)
    }
  } finally {
    await rack?.close()
    await server?.stop()
    if (!isKept) await rm(workDir, { recursive: true, force: true })
  }
}

async function makeRealRack(
  workDir: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Rack> {
  const { makeQemuRack } = await import('../rack/qemu-rack.ts')
  return makeQemuRack({ workDir, programDir: PROGRAM_DIR, say, signal })
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
