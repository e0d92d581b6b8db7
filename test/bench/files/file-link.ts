import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ensurePackages } from '../../../src/rack/debian-packages.ts'
import { Namespaces, type Program } from '../../support/dhcp-netns.ts'
import type { LoadResult as DhcpResult, LoadWish as DhcpWish } from '../dhcp/load-client.ts'

/** The /16 that server and clients are in. */
export const CLIENT_PREFIX = '10.90'
export const SERVER_ADDRESS = `${CLIENT_PREFIX}.0.1`
/** The first of the clients' addresses; each client has one of its own. */
export const FIRST_CLIENT = `${CLIENT_PREFIX}.8.1`
const CLIENT_NET = `${CLIENT_PREFIX}.8.0/21`
/** The relay behind which DHCP's clients are, and its subnet. */
export const RELAY_ADDRESS = '10.100.0.1'
export const RELAYED_NET = '10.100.0.0/15'
const DHCP_CLIENT = path.join(import.meta.dirname, '..', 'dhcp', 'load-client.ts')
const CPU_TICK_MS = 10

export interface LoadResult {
  readonly seconds: number
  readonly bytes: number
  readonly resends: number
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** CPU of the server's process, per GB sent. */
  readonly cpuSecondsPerGb: number
  /** The same, per transfer, us. */
  readonly cpuUsEach: number
}

/** Server and clients in two namespaces, a cable between, and the load client of `load.c`, compiled here. */
export class FileLink {
  readonly namespaces = new Namespaces()
  readonly serverSide: string
  readonly clientSide: string
  readonly workDir = mkdtempSync(path.join(tmpdir(), 'file-bench-'))
  readonly #load: string

  private constructor() {
    this.serverSide = this.namespaces.add('s')
    this.clientSide = this.namespaces.add('c')
    this.namespaces.join(
      [this.serverSide, 's0', `${SERVER_ADDRESS}/20`],
      [this.clientSide, 'c0', '10.90.0.2/20'],
    )
    // Every address of the clients' network is the client side's own, without one entry each.
    this.namespaces.inside(this.clientSide, 'ip', 'route', 'add', 'local', CLIENT_NET, 'dev', 'lo')
    // DHCP's clients, whose time is taken while files move.
    this.namespaces.inside(this.clientSide, 'ip', 'address', 'add', `${RELAY_ADDRESS}/15`, 'dev', 'c0')
    this.namespaces.inside(this.serverSide, 'ip', 'route', 'add', RELAYED_NET, 'dev', 's0')
    this.#load = path.join(this.workDir, 'load')
    const source = path.join(import.meta.dirname, 'load.c')
    execFileSync('gcc', ['-O2', '-o', this.#load, source])
  }

  static async open(say: (line: string) => void): Promise<FileLink> {
    await ensurePackages(
      [
        { name: 'gcc', why: 'compiles the load client of the file benches' },
        { name: 'libc6-dev', why: 'compiles the load client of the file benches' },
      ],
      say,
    )
    return new FileLink()
  }

  tftp(server: Program, wish: { file: string; slots: number; transfers: number; window: number }) {
    const { file, slots, transfers, window } = wish
    return this.#run(server, transfers, [
      'tftp',
      SERVER_ADDRESS,
      '69',
      file,
      FIRST_CLIENT,
      `${slots}`,
      `${transfers}`,
      '1432',
      `${window}`,
    ])
  }

  http(server: Program, wish: { port: number; path: string; slots: number; transfers: number }) {
    const { port, path: target, slots, transfers } = wish
    const args = ['http', SERVER_ADDRESS, `${port}`, target, FIRST_CLIENT, `${slots}`, `${transfers}`]
    return this.#run(server, transfers, args)
  }

  /** DISCOVER to ACK, so many times, while something else may run. */
  async dhcp(wish: Pick<DhcpWish, 'exchanges' | 'outstanding' | 'clients'>): Promise<DhcpResult> {
    const whole: DhcpWish = {
      ...wish,
      mode: 'closed',
      relay: RELAY_ADDRESS,
      server: SERVER_ADDRESS,
      firstClient: 1,
    }
    const program = this.namespaces.start(this.clientSide, [
      process.execPath,
      DHCP_CLIENT,
      JSON.stringify(whole),
    ])
    return JSON.parse(await program.line(/^\{/)) as DhcpResult
  }

  async close(): Promise<void> {
    await this.namespaces.clear()
    rmSync(this.workDir, { recursive: true, force: true })
  }

  /** @throws when the server has ended: what it sent before is no figure. */
  async #run(server: Program, transfers: number, args: readonly string[]): Promise<LoadResult> {
    const before = cpuSeconds(server)
    const program = this.namespaces.start(this.clientSide, [this.#load, ...args])
    type Told = Omit<LoadResult, 'cpuSecondsPerGb' | 'cpuUsEach'>
    const result = JSON.parse(await program.line(/^\{/)) as Told
    const { exitCode, signalCode } = server.child
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`the server ended with ${signalCode ?? exitCode}: ${server.text.slice(-200)}`)
    }
    const seconds = cpuSeconds(server) - before
    return {
      ...result,
      cpuSecondsPerGb: (seconds / result.bytes) * 1e9,
      cpuUsEach: (seconds / transfers) * 1e6,
    }
  }
}

/** CPU of a process and of its children that run, all threads. */
function cpuSeconds({ child: { pid } }: Program): number {
  const pids = [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')]
  return pids
    .filter((one) => one !== undefined && one !== '')
    .flatMap((one) => statOf(one) ?? [])
    .map((stat) => stat.slice(stat.lastIndexOf(')') + 2).split(' '))
    .reduce((sum, fields) => sum + ((Number(fields[11]) + Number(fields[12])) * CPU_TICK_MS) / 1000, 0)
}

/** Undefined for a child that has ended meanwhile, as those of tftpd-hpa do after each transfer. */
function statOf(pid: string | number | undefined): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
}

/** Resident memory of a process, MiB. */
export function residentMib({ child: { pid } }: Program): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}
