import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ServerProcess, START_SCRIPT } from './server-process.ts'

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `pilotlight ARGS` to its end, with nothing of this process's own environment but the path. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliResult> {
  const variables = Object.entries({ PATH: process.env.PATH, HOME: '/nonexistent', ...env })
  // `env -i`: without what tap adds to the environment of a child, which would load half of tap into each.
  const words = ['-i', ...variables.map(([name, value]) => `${name}=${value ?? ''}`)]
  const child = spawn('/usr/bin/env', [...words, process.execPath, START_SCRIPT, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** How the client commands reach a server. */
export function accessTo(server: ServerProcess): NodeJS.ProcessEnv {
  return { PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: server.token }
}
