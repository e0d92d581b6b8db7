import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { type ChildServer, startChildServer } from '../rack/child-server.ts'
import type { Rack } from '../rack/rack.ts'
import { type RunResult, runRack } from '../rack/rack-run.ts'
import { DEBIAN_IPXE_DIR } from '../servers/files/install-loaders.ts'
import { call } from './api-client.ts'
import type { ApiAccess } from './api-request.ts'
import { chooseDemoMode } from './demo-mode.ts'
import { DemoView } from './demo-view.ts'
import { PROGRAM_DIR } from './program-dir.ts'
import { writeStandInLoaders } from './stand-in-loaders.ts'

export interface RackWish {
  /** Of the cluster, and of the scratch directory. */
  readonly name: string
  readonly simulated: boolean
  /** True to keep standard output for one JSON document: progress goes to standard error. */
  readonly json: boolean
  readonly timeoutMs: { readonly [Mode in 'qemu' | 'simulated']: number }
  readonly stopsAtFailure?: boolean
  makeRack(parts: RackParts): Promise<Rack>
}

export interface RackParts {
  readonly mode: 'qemu' | 'simulated'
  readonly workDir: string
  readonly signal: AbortSignal
  say(line: string): void
}

/** A rack whose machines are ready, or have had their time. */
export interface RackSession extends RackParts {
  readonly rack: Rack
  readonly server: ChildServer
  readonly access: ApiAccess
  readonly result: RunResult
  readonly seconds: number
  /** Leaves the scratch directory there: somebody will want to look. */
  keepFiles(): void
}

/**
 * Makes a private rack, starts the real server in it, lets its machines boot, and hands over what came of it. Everything
 * is taken down when `use` has ended, however it ends, and at Ctrl-C.
 */
export async function inRack(wish: RackWish, use: (session: RackSession) => Promise<void>): Promise<void> {
  const progress = wish.json ? process.stderr : process.stdout
  const say = (line: string) => void progress.write(`${line}\n`)
  const startedAt = Date.now()
  const { mode, why } = chooseDemoMode(wish.simulated)
  say(`mode: ${mode} (${why})`)
  const stopped = new AbortController()
  // Always handled, so that a second Ctrl-C cannot keep the first one from taking everything down.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stopped.abort(signal))
  const { signal } = stopped
  const workDir = await mkdtemp(path.join(os.tmpdir(), `pilotlight-${wish.name}-`))
  let rack: Rack | undefined
  let server: ChildServer | undefined
  let keepsFiles = false
  try {
    rack = await wish.makeRack({ mode, workDir, signal, say })
    server = await startChildServer({
      rack,
      workDir,
      startScript: path.join(PROGRAM_DIR, 'src', 'start.js'),
      loadersFrom: existsSync(DEBIAN_IPXE_DIR) ? DEBIAN_IPXE_DIR : await writeStandInLoaders(workDir, mode),
    })
    say(`server: up, API at ${server.url}`)
    const access = { url: server.url, token: server.token }
    const view = new DemoView(progress)
    const result = await runRack({
      rack,
      call: (method, route, body) => call(method, route, body, access),
      clusterName: wish.name,
      timeoutMs: wish.timeoutMs[mode],
      onProgress: (views) => view.draw(views),
      signal,
      stopsAtFailure: wish.stopsAtFailure === true,
    })
    const seconds = Math.round((Date.now() - startedAt) / 100) / 10
    const keepFiles = () => {
      keepsFiles = true
    }
    await use({ mode, workDir, signal, say, rack, server, access, result, seconds, keepFiles })
  } finally {
    await rack?.close()
    await server?.stop()
    if (!keepsFiles) await rm(workDir, { recursive: true, force: true })
  }
}
