import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type { Teardown } from './store-world.ts'

/** Why strace cannot be used here; undefined when it can. */
export function straceMissing(): string | undefined {
  if (!existsSync('/usr/bin/strace')) return 'strace is not installed'
  return process.getuid?.() === 0 ? undefined : 'tracing a process needs root here'
}

/** What the main thread did and any thread synced, in order. */
export type Traced = { readonly kind: 'sync' } | { readonly kind: 'in' | 'out'; readonly bytes: Buffer }

const CALLS = {
  fdatasync: 'sync',
  fsync: 'sync',
  read: 'in',
  recvfrom: 'in',
  recvmsg: 'in',
  recvmmsg: 'in',
  write: 'out',
  writev: 'out',
  sendto: 'out',
  sendmsg: 'out',
  sendmmsg: 'out',
} as const

/** Attaches strace to a running process; `detach` ends it and gives what it did. */
export async function attachStrace(t: Teardown, pid: number, ...more: string[]) {
  const file = path.join(os.tmpdir(), `pilotlight-strace-${process.pid}-${pid}`)
  const trace = `trace=${Object.keys(CALLS).join(',')}`
  const args = ['-f', '-xx', '-s', '1000', '-o', file, '-e', trace, ...more, '-p', String(pid)]
  const child = spawn('/usr/bin/strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(async () => {
    await end()
    rmSync(file, { force: true })
  })
  await attached(child)
  return {
    async detach(): Promise<readonly Traced[]> {
      await end()
      return wholeCalls(readFileSync(file, 'utf8').split('\n'), pid).flatMap(tracedIn)
    },
  }

  async function end(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}

/**
 * Resolves when strace has said that it is attached. Its messages are read until its end: it tells of every thread that
 * comes later as well, and a pipe that is closed would end it.
 */
function attached(child: ChildProcessByStdio<null, null, Readable>): Promise<void> {
  let said = ''
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk
      if (said.includes('attached')) resolve()
    })
    child.once('exit', () => reject(new Error(`strace did not attach: ${said}`)))
  })
}

/**
 * The calls of the main thread and the syncs of all, each in one line, at the place where it ended. One that another
 * thread interrupted comes in two: what a write writes stands in the first, what a read reads in the second.
 */
function wholeCalls(lines: readonly string[], mainThread: number): readonly string[] {
  const whole: string[] = []
  const begun = new Map<string, string>()
  for (const line of lines) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. (\w+) resumed>/.exec(text)
    const call = resumed?.[1] ?? /^\w+/.exec(text)?.[0]
    if (thread !== String(mainThread) && CALLS[call as keyof typeof CALLS] !== 'sync') continue
    if (text.endsWith('<unfinished ...>')) {
      begun.set(thread, text.slice(0, -'<unfinished ...>'.length))
      continue
    }
    whole.push(resumed === null ? text : `${begun.get(thread) ?? ''}${text.slice(resumed[0].length)}`)
    begun.delete(thread)
  }
  // In the midst of it strace was told to let go.
  return [...whole, ...begun.values()]
}

/** `call(args) = result`. */
function tracedIn(line: string): Traced[] {
  const match = /^(\w+)\((.*)$/.exec(line)
  const kind = CALLS[match?.[1] as keyof typeof CALLS] as Traced['kind'] | undefined
  const rest = match?.[2] ?? ''
  if (kind === undefined || / = -1 E/.test(rest)) return []
  if (kind === 'sync') return [{ kind }]
  const hex = [...rest.matchAll(/\\x([0-9a-f]{2})/g)].map((byte) => byte[1])
  return [{ kind, bytes: Buffer.from(hex.join(''), 'hex') }]
}
