import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { type App, startApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { realSurroundings } from '../../src/config/surroundings.ts'
import type { Ipv4 } from '../../src/net/ipv4.ts'
import type { Mac } from '../../src/net/mac.ts'
import { makeServiceCertificates } from '../../src/rack/service-certificates.ts'
import { installLoaders } from '../../src/servers/files/install-loaders.ts'
import { readBootScript, type ScriptVariables } from '../../src/sim/boot-script.ts'
import { type ObtainedLease, obtainLease, type Personality } from '../../src/sim/dhcp-lease.ts'
import { exchange } from '../../src/sim/http-exchange.ts'
import { aKernel, anInitrd } from './image-files.ts'

const PROGRAM_DIR = new URL('../..', import.meta.url).pathname

export interface LoopbackWish {
  /** The second byte of the loopback network that nobody else uses, 127.N.6.0/24; its ports follow from it. */
  readonly network: number
  readonly clusters?: readonly string[]
  /** Default: authoritative. In the other modes machines have the addresses that are stated for them. */
  readonly dhcpMode?: 'authoritative' | 'proxy' | 'off'
  readonly tokenBind?: 'subnet' | 'address'
  /** YAML that is added to the configuration. */
  readonly yaml?: string
  readonly loaders?: readonly string[]
  /** Where the server keeps its data; default: in the work directory. */
  readonly dataDir?: string
}

/** A machine as the test knows it. */
export interface TestMachine {
  readonly name: string
  readonly mac: Mac
  readonly address: Ipv4
}

/** The real server on a loopback network of its own, with an image and clusters registered. */
export class LoopbackServer {
  readonly net: string
  readonly address: Ipv4
  readonly workDir: string
  readonly ports: {
    readonly dhcp: number
    readonly tftp: number
    readonly boot: number
    readonly api: number
  }
  readonly identity: ReturnType<typeof makeServiceCertificates>
  readonly dataDir: string
  imageId = ''
  #app: App | undefined
  #token = ''
  #machines = 0

  private constructor({ network, dataDir }: LoopbackWish, workDir: string) {
    this.net = `127.${network}.6`
    this.address = `${this.net}.1` as Ipv4
    this.workDir = workDir
    this.dataDir = dataDir ?? path.join(workDir, 'data')
    const base = 20_000 + network * 20
    this.ports = { dhcp: base, tftp: base + 2, boot: base + 3, api: base + 4 }
    this.identity = makeServiceCertificates(Array.from({ length: 40 }, (_, n) => `${this.net}.${n + 11}`))
  }

  static async start(wish: LoopbackWish): Promise<LoopbackServer> {
    const workDir = await mkdtemp(path.join(os.tmpdir(), 'pilotlight-loopback-'))
    const server = new LoopbackServer(wish, workDir)
    try {
      await server.#writeFiles(wish)
      await server.restart()
      await server.#register(wish.clusters ?? ['prod'])
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get token(): string {
    return this.#token
  }

  get apiUrl(): string {
    return `http://${this.address}:${this.ports.api}`
  }

  get bootUrl(): string {
    return `http://${this.address}:${this.ports.boot}`
  }

  async restart(): Promise<void> {
    await this.#app?.stop()
    const config = loadConfig(
      path.join(this.workDir, 'pilotlight.yaml'),
      realSurroundings(PROGRAM_DIR, existsSync),
    )
    this.#app = await startApp({ config, log: pino({ level: 'silent' }), programDir: PROGRAM_DIR })
    this.#token = readFileSync(path.join(this.dataDir, 'admin.token'), 'utf8').trim()
  }

  /** Stops the server; its files stay. */
  async halt(): Promise<void> {
    await this.#app?.stop()
    this.#app = undefined
  }

  async stop(): Promise<void> {
    await this.#app?.stop()
    await rm(this.workDir, { recursive: true, force: true })
  }

  /** One call of the operator's API; anything but 2xx throws. */
  async api<Answer>(method: 'GET' | 'POST' | 'PATCH', route: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#token}` }
    const answer = await exchange({ method, url: `${this.apiUrl}/api/v1${route}`, headers, body })
    if (answer.status >= 300) throw new Error(`${method} ${route}: ${answer.status} ${answer.body}`)
    return JSON.parse(answer.body.toString()) as Answer
  }

  /** Registers the next machine, armed where nothing else is said. */
  async addMachine(
    name: string,
    more: { readonly cluster?: string; readonly isArmed?: boolean; readonly loader?: string } = {},
  ): Promise<TestMachine> {
    const number = this.#machines
    this.#machines += 1
    const machine: TestMachine = {
      name,
      mac: `02:82:06:00:00:${number.toString(16).padStart(2, '0')}` as Mac,
      address: `${this.net}.${11 + number}` as Ipv4,
    }
    await this.api('POST', '/machines', {
      name,
      macs: [machine.mac],
      role: 'control-plane',
      cluster: more.cluster ?? 'prod',
      image: this.imageId,
      address: machine.address,
      ...(more.loader === undefined ? {} : { loader: more.loader }),
    })
    if (more.isArmed !== false) await this.api('POST', `/machines/${name}/arm`)
    return machine
  }

  lease({ mac }: TestMachine, personality: Personality): Promise<ObtainedLease> {
    return obtainLease({
      mac,
      uuid: `82828282-0000-4000-8000-0000000000${mac.slice(-2)}`,
      personality,
      server: { address: this.address, port: this.ports.dhcp },
      relayAddress: `${this.net}.2` as Ipv4,
      timeoutMs: 20_000,
    })
  }

  /** What the machine's boot script comes down to, once its own iPXE asks for it. */
  async script({ address }: TestMachine, lease: ObtainedLease, variables: ScriptVariables = {}) {
    let url = lease.bootFile
    for (;;) {
      const answer = await exchange({ url, localAddress: address })
      const action = readBootScript(answer.body.toString(), url, {
        uuid: '82828282-0000-4000-8000-000000000001',
        ...variables,
      })
      if (action.kind !== 'chain') return action
      url = action.url
    }
  }

  /** Boots as far as the kernel and gives its command line. */
  async bootKernel(machine: TestMachine): Promise<string> {
    const action = await this.script(machine, await this.lease(machine, 'ipxe-bios'))
    if (action.kind !== 'boot') throw new Error(`${machine.name} is parked: ${JSON.stringify(action)}`)
    for (const url of [action.kernelUrl, action.initrdUrl]) {
      const answer = await exchange({ url, localAddress: machine.address })
      if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
    }
    return action.cmdline
  }

  async #writeFiles(wish: LoopbackWish): Promise<void> {
    const { workDir, net, ports } = this
    await mkdir(path.join(workDir, 'ipxe'))
    for (const name of wish.loaders ?? ['undionly.kpxe', 'snponly.efi'])
      await writeFile(path.join(workDir, 'ipxe', name), Buffer.alloc(70_000, 7))
    installLoaders(path.join(workDir, 'ipxe'), path.join(workDir, 'loaders'))
    await mkdir(path.join(workDir, 'image'))
    await writeFile(path.join(workDir, 'image', 'bzImage'), aKernel())
    await writeFile(path.join(workDir, 'image', 'initrd'), anInitrd(8 * 1024 * 1024))
    const script = '#!ipxe\nkernel bzImage init=/init initrd=initrd\ninitrd initrd\nboot\n'
    await writeFile(path.join(workDir, 'image', 'netboot.ipxe'), script)
    const yaml = `data_dir: ${this.dataDir}
assets_dir: ${workDir}/loaders
server_address: ${net}.1
dhcp: { mode: ${wish.dhcpMode ?? 'authoritative'}, port: ${ports.dhcp}, proxy_port: ${ports.dhcp + 1} }
subnets: [{ cidr: ${net}.0/24, pool: ${net}.100-${net}.199, lease_seconds: 3600 }]
tftp: { port: ${ports.tftp} }
boot: { port: ${ports.boot}, token_bind: ${wish.tokenBind ?? 'subnet'} }
api: { listen: "${net}.1:${ports.api}" }
${wish.yaml ?? ''}
`
    await writeFile(path.join(workDir, 'pilotlight.yaml'), yaml)
  }

  async #register(clusters: readonly string[]): Promise<void> {
    const directory = path.join(this.workDir, 'image')
    this.imageId = (await this.api<{ id: string }>('POST', '/images', { path: directory, name: 'test' })).id
    for (const name of clusters) {
      await this.api('POST', '/clusters', {
        name,
        expected_control_plane: 3,
        state_kind: 'ephemeral',
        health_ca: this.identity.caPem,
      })
    }
  }
}
