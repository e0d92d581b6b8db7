import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'

const SCRIPT = new URL('../../../boot-assets/initrd/fetch-squashfs.sh', import.meta.url).pathname

/** Why a test of the script is left out here, or false. */
export const SKIP_FETCH_SQUASHFS =
  existsSync('/usr/bin/busybox') || process.env.CI === 'true' ? false : 'busybox is not installed'

export interface FetchSquashfs {
  /** The kernel command line. */
  readonly cmdline: string
  readonly freeKib?: number
  readonly env?: NodeJS.ProcessEnv
}

export interface FetchedSquashfs {
  readonly code: number
  readonly output: string
  readonly root?: Buffer
}

/** Runs the script under busybox to its end, on a directory of its own instead of a tmpfs. */
export async function runFetchSquashfs(t: Test, wanted: FetchSquashfs): Promise<FetchedSquashfs> {
  const { cmdline, freeKib = 900_000, env = {} } = wanted
  const directory = mkdtempSync(path.join(os.tmpdir(), 'fetch-squashfs-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(path.join(directory, 'cmdline'), `${cmdline}\n`)
  writeFileSync(path.join(directory, 'meminfo'), `MemTotal:  999999 kB\nMemAvailable:  ${freeKib} kB\n`)
  const target = path.join(directory, 'fetched')
  const child = spawn('busybox', ['sh', SCRIPT, target], {
    env: {
      PATH: '/usr/bin:/bin',
      PILOTLIGHT_CMDLINE: path.join(directory, 'cmdline'),
      PILOTLIGHT_MEMINFO: path.join(directory, 'meminfo'),
      PILOTLIGHT_NO_TMPFS: '1',
      PILOTLIGHT_PAUSE_SECONDS: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  const file = path.join(target, 'root.squashfs')
  return { code, output, ...(existsSync(file) ? { root: readFileSync(file) } : {}) }
}
