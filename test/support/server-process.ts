import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Ipv4 } from '../../src/net/ipv4.ts'
import { type Mac, macInPath } from '../../src/net/mac.ts'
import { installLoaders } from '../../src/servers/files/install-loaders.ts'
import { readBootScript } from '../../src/sim/boot-script.ts'
import { type ObtainedLease, obtainLease, type Personality } from '../../src/sim/dhcp-lease.ts'
import { type Answer, exchange } from '../../src/sim/http-exchange.ts'
import { aKernel, anInitrd } from './image-files.ts'
import type { Teardown } from './store-world.ts'

export const ROOT = new URL('../..', import.meta.url).pathname
export const START_SCRIPT = path.join(ROOT, 'src', 'start.js')

/** A loopback network for this process alone, so that test files that run side by side never meet. */
const NET = `127.${210 + (process.pid % 40)}.${(process.pid >> 6) & 0xff}`

const START_TIMEOUT_MS = 60_000

export interface ServerWish {
  /** What stands before `node start.js serve`: `unshare`, `strace`, `setpriv` … */
  readonly prefix?: (server: ServerProcess) => readonly string[]
  /** Where the data directory is seen from outside, when the prefix gives the server mounts of its own. */
  readonly dataDirSeenFromHere?: (dataDir: string, pid: number) => string
  /** YAML that is added to the configuration. */
  readonly yaml?: string
  readonly loaders?: readonly string[]
  readonly unknownMachines?: 'ignore' | 'discover'
  /** Where the API listens, when it is not the usual port. */
  readonly api?: string
  /** Added to every port, for a second server of one test. */
  readonly ports?: number
}

/** One line of the server's log. */
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [fact: string]: unknown
}

/** A node's answer to a redemption: the machine's own configuration. */
export interface RedeemedConfig {
  readonly bootstrap: boolean
  readonly bootstrap_epoch: number | null
  readonly provisioning: {
    readonly boot_id: string
    readonly report_token: string
    readonly report_url: string
  }
}

/** `pilotlight serve` as a process of its own, on loopback, with the files that it needs. */
export class ServerProcess {
  readonly workDir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-server-'))
  readonly dataDir = path.join(this.workDir, 'data')
  readonly configFile = path.join(this.workDir, 'pilotlight.yaml')
  readonly address = `${NET}.1` as Ipv4
  readonly dhcp: { readonly address: Ipv4; readonly port: number }
  readonly tftpPort: number
  readonly bootUrl: string
  readonly apiUrl: string
  /** Everything that the server wrote since its last start, line by line. */
  output: string[] = []
  readonly #wish: ServerWish
  #child: ChildProcess | undefined

  constructor(t: Teardown, wish: ServerWish = {}) {
    this.#wish = wish
    const base = 6000 + (wish.ports ?? 0)
    this.dhcp = { address: this.address, port: base + 67 }
    this.tftpPort = base + 69
    this.bootUrl = `http://${this.address}:${base + 80}`
    this.apiUrl = `http://${this.address}:${base + 90}`
    chmodSync(this.workDir, 0o755)
    const ipxe = path.join(this.workDir, 'ipxe')
    mkdirSync(ipxe)
    for (const name of wish.loaders ?? ['undionly.kpxe', 'snponly.efi'])
      writeFileSync(path.join(ipxe, name), randomBytes(70_000))
    installLoaders(ipxe, path.join(this.workDir, 'loaders'))
    writeFileSync(
      this.configFile,
      `data_dir: ${this.dataDir}
assets_dir: ${path.join(this.workDir, 'loaders')}
server_address: ${this.address}
dhcp: { mode: authoritative, port: ${this.dhcp.port}, proxy_port: ${base + 68} }
subnets: [{ cidr: ${NET}.0/24, pool: ${NET}.100-${NET}.199, lease_seconds: 3600 }]
unknown_machines: ${wish.unknownMachines ?? 'ignore'}
tftp: { port: ${this.tftpPort} }
boot: { port: ${base + 80} }
api: { listen: "${wish.api ?? `${this.address}:${base + 90}`}" }
log: { format: json }
${wish.yaml ?? ''}
`,
    )
    t.teardown(async () => {
      await this.end('SIGKILL')
      rmSync(this.workDir, { recursive: true, force: true })
    })
  }

  static async start(t: Teardown, wish: ServerWish = {}): Promise<ServerProcess> {
    const server = new ServerProcess(t, wish)
    await server.start()
    return server
  }

  /** The address of machine `n`, outside the pool. */
  addressOf(n: number): Ipv4 {
    return `${NET}.${10 + n}` as Ipv4
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the server does not run')
    return this.#child.pid
  }

  get seenDataDir(): string {
    return this.#wish.dataDirSeenFromHere?.(this.dataDir, this.pid) ?? this.dataDir
  }

  get token(): string {
    return readFileSync(path.join(this.seenDataDir, 'admin.token'), 'utf8').trim()
  }

  get logged(): readonly LogLine[] {
    return this.output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine)
  }

  /** Starts the server and waits until it says that it serves. */
  async start(): Promise<void> {
    this.spawn()
    await this.untilLogged('Pilotlight is serving')
  }

  spawn(): ChildProcess {
    const prefix = this.#wish.prefix?.(this) ?? []
    const serve = [process.execPath, START_SCRIPT, 'serve', '--config', this.configFile]
    const [command = '', ...args] = [...prefix, ...serve]
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.output = []
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.output.push(line))
    return child
  }

  /** Waits for a line of the log; a server that ends before it rejects with what it said. */
  async untilLogged(msg: string): Promise<LogLine> {
    const deadline = performance.now() + START_TIMEOUT_MS
    for (;;) {
      const line = this.logged.find((candidate) => candidate.msg === msg)
      if (line !== undefined) return line
      const child = this.#child
      const isOver = child === undefined || child.exitCode !== null || child.signalCode !== null
      if (isOver || performance.now() > deadline)
        throw new Error(`the server never said ${JSON.stringify(msg)}:\n${this.output.join('\n')}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Waits for the end of the process. */
  async ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const child = this.#child
    if (child === undefined) throw new Error('the server was never started')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    return { code: child.exitCode, signal: child.signalCode }
  }

  /** Ends the server with a signal and waits for its end. */
  async end(signal: NodeJS.Signals) {
    if (this.#child === undefined) return undefined
    this.signal(signal)
    return this.ended()
  }

  /** One call of the operator's API, whatever its answer. */
  ask(method: 'GET' | 'POST' | 'PATCH' | 'PUT', route: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.token}` }
    return exchange({ method, url: `${this.apiUrl}/api/v1${route}`, headers, body })
  }

  /** One call of the operator's API; anything but 2xx throws. */
  async api<Reply>(method: 'GET' | 'POST', route: string, body?: unknown): Promise<Reply> {
    const answer = await this.ask(method, route, body)
    if (answer.status >= 300) throw new Error(`${method} ${route}: ${answer.status} ${answer.body}`)
    return JSON.parse(answer.body.toString()) as Reply
  }

  /** Imports an image that nothing real could boot; gives its id. */
  async importImage(initrdBytes = 64 * 1024): Promise<string> {
    const directory = path.join(this.workDir, 'image')
    mkdirSync(directory, { recursive: true })
    writeFileSync(path.join(directory, 'bzImage'), aKernel())
    writeFileSync(path.join(directory, 'initrd'), anInitrd(initrdBytes))
    const script = '#!ipxe\nkernel bzImage init=/init initrd=initrd\ninitrd initrd\nboot\n'
    writeFileSync(path.join(directory, 'netboot.ipxe'), script)
    return (await this.api<{ id: string }>('POST', '/images', { path: directory, name: 'test' })).id
  }

  /** Takes a lease for a MAC; `timeoutMs` of silence rejects, and so does an abort. */
  lease(
    mac: Mac,
    personality: Personality,
    {
      timeoutMs = 20_000,
      ...more
    }: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly relayPort?: string } = {},
  ): Promise<ObtainedLease> {
    return obtainLease({
      mac,
      uuid: `90909090-0000-4000-8000-${mac.replaceAll(':', '')}`,
      personality,
      server: this.dhcp,
      relayAddress: `${NET}.2` as Ipv4,
      timeoutMs,
      ...more,
    })
  }

  /** Boots an armed machine as far as its script; gives the kernel's command line. */
  async fetchCommandLine(mac: Mac, signal?: AbortSignal): Promise<string> {
    const { address } = await this.lease(mac, 'ipxe-bios', signal === undefined ? {} : { signal })
    const uuid = `90909090-0000-4000-8000-${mac.replaceAll(':', '')}`
    const url = `${this.bootUrl}/boot/${macInPath(mac)}.ipxe?uuid=${uuid}`
    const answer = await exchange({ url, localAddress: address })
    const action = readBootScript(answer.body.toString(), url, {})
    if (action.kind !== 'boot') throw new Error(`${mac} boots nothing: ${JSON.stringify(action)}`)
    return action.cmdline
  }

  /** Redeems a token from an address, as a node does. */
  redeem(mac: Mac, token: string, from: Ipv4, nonce = randomBytes(16).toString('hex')): Promise<Answer> {
    return exchange({
      url: `${this.bootUrl}/machines/${macInPath(mac)}/cluster-config.json`,
      localAddress: from,
      headers: { authorization: `Bearer ${token}`, 'pilotlight-nonce': nonce },
    })
  }

  /** Sends one report of a first-boot step. */
  report(config: RedeemedConfig, from: Ipv4, sequence: number): Promise<Answer> {
    const { boot_id, report_token, report_url } = config.provisioning
    return exchange({
      method: 'POST',
      url: report_url,
      localAddress: from,
      headers: { authorization: `Bearer ${report_token}` },
      body: { boot_id, reports: [{ step: 'chainfire-cluster-join', state: 'progress', sequence }] },
    })
  }
}

/** The boot token in a kernel's command line. */
export function tokenIn(commandLine: string): string {
  return /pilotlight\.token=(\S+)/.exec(commandLine)?.[1] ?? ''
}
