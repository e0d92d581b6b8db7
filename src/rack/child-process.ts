import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'

const TERM_GRACE_MS = 3_000

/**
 * The command, to be ended by the kernel when this process ends in a way that runs no handler (kill -9). Without
 * util-linux's setpriv the command stays as it is, and the next rack's sweep has to do.
 */
export function dyingWithParent(command: readonly string[]): readonly string[] {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => existsSync(file))
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'TERM', '--', ...command]
}

/** Starts a long-running command whose output goes to a file. */
export function startProcess(command: readonly string[], logFile: string): ChildProcess {
  const [program = '', ...args] = dyingWithParent(command)
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const log = createWriteStream(logFile, { flags: 'a' })
  child.stdout?.pipe(log, { end: false })
  child.stderr?.pipe(log, { end: false })
  child.once('close', () => log.end())
  child.once('error', (error) => log.end(`${error.message}\n`))
  return child
}

/** Asks a process to end, and ends it when it has not within the grace. */
export async function endProcess(child: ChildProcess, graceMs = TERM_GRACE_MS): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await exited
  clearTimeout(timer)
}
