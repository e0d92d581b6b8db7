import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

const PREFIX = 'pl-dhcp'

/** Why no network namespace can be made here; undefined: it can. */
export function noNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'the program ip (iproute2) is not installed'
  }
}

/** Namespaces of one test, taken away with everything that runs in them. */
export class Namespaces {
  readonly #names: string[] = []
  readonly #children: ChildProcess[] = []

  constructor() {
    sweep()
  }

  /** Adds a namespace; its loopback is up. */
  add(role: string): string {
    const name = `${PREFIX}-${process.pid}-${role}`
    ip('netns', 'add', name)
    this.#names.push(name)
    inside(name, 'ip', 'link', 'set', 'lo', 'up')
    return name
  }

  /** Joins two namespaces by a cable; an end has an address where one is given. */
  join(a: readonly [ns: string, device: string, cidr?: string], b: typeof a, macOfB?: string): void {
    // Made inside a namespace, so that no device ever shows on the host.
    inside(a[0], 'ip', 'link', 'add', a[1], 'type', 'veth', 'peer', 'name', b[1], 'netns', b[0])
    if (macOfB !== undefined) inside(b[0], 'ip', 'link', 'set', b[1], 'address', macOfB)
    for (const [ns, device, cidr] of [a, b]) {
      if (cidr !== undefined) inside(ns, 'ip', 'address', 'add', cidr, 'dev', device)
      inside(ns, 'ip', 'link', 'set', device, 'up')
    }
  }

  /** Runs a command in a namespace to its end. */
  inside(ns: string, ...command: readonly string[]): string {
    return inside(ns, ...command)
  }

  /** Starts a program in a namespace; its output is read line by line. */
  start(ns: string, command: readonly string[]): Program {
    const { NODE_OPTIONS: _, ...env } = process.env
    const child = spawn('ip', ['netns', 'exec', ns, ...command], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#children.push(child)
    return new Program(child)
  }

  /** Ends every program that was started here, with what it forked: a killed master leaves its workers, and the port. */
  async endAll(): Promise<void> {
    await Promise.all(this.#children.splice(0).map(ended))
    for (const name of this.#names) {
      while (endPids(ip('netns', 'pids', name))) await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async clear(): Promise<void> {
    await this.endAll()
    for (const name of this.#names.splice(0)) ip('netns', 'delete', name)
  }
}

/** A running program whose lines a test waits for. */
export class Program {
  readonly child: ChildProcess
  readonly #lines: string[] = []
  #wake: () => void = () => {}

  constructor(child: ChildProcess) {
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line)
        this.#wake()
      })
    }
    child.on('close', () => this.#wake())
  }

  /** All lines so far, for a message about what went wrong. */
  get text(): string {
    return this.#lines.join('\n')
  }

  /** Ends it, and waits until it has gone. */
  end(): Promise<void> {
    return ended(this.child)
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    await new Promise((resolve) => this.child.once('close', resolve))
  }

  /** The next line that matches, taken out with all before it; the test's own time limit ends the wait. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const at = this.#lines.findIndex((line) => pattern.test(line))
      const found = this.#lines[at]
      if (found !== undefined) {
        this.#lines.splice(0, at + 1)
        return found
      }
      if (this.child.exitCode !== null) throw new Error(`${pattern} never came; it said:\n${this.text}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export function inside(ns: string, ...command: readonly string[]): string {
  return ip('netns', 'exec', ns, ...command)
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

/** Kills the processes of a list; false when there was none. */
function endPids(list: string): boolean {
  const pids = list.split('\n').filter((line) => line !== '')
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
  return pids.length > 0
}

/** Takes away what a test left that was killed: namespaces whose process is no more. */
function sweep(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [name = ''] = line.split(' ')
    const pid = /^pl-dhcp-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip('netns', 'delete', name)
  }
}
