import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import pino from 'pino'
import type { Image } from '../../src/model/image.ts'
import type { Ipv4 } from '../../src/net/ipv4.ts'
import { type Mac, macInPath } from '../../src/net/mac.ts'
import { DEFAULT_STALL_LIMITS } from '../../src/policy/diagnosis/limits.ts'
import type { Effect } from '../../src/policy/effect.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../src/policy/image/preflight.ts'
import { ClusterBell } from '../../src/servers/cluster-bell.ts'
import type { DhcpPlace } from '../../src/servers/dhcp/dhcp-place.ts'
import { StallWatch } from '../../src/servers/diagnosis/stall-watch.ts'
import { LoaderManifest } from '../../src/servers/files/loader-manifest.ts'
import type { BootContext } from '../../src/servers/http/boot/boot-context.ts'
import { startBootServer } from '../../src/servers/http/boot/boot-server.ts'
import { FileDelivery } from '../../src/servers/http/file-delivery.ts'
import type { SelfTestReport } from '../../src/servers/http/operator/operator-context.ts'
import { startOperatorServer } from '../../src/servers/http/operator/operator-server.ts'
import { ImageLibrary } from '../../src/servers/images/image-library.ts'
import { type Answer, exchange } from '../../src/sim/http-exchange.ts'
import { Store } from '../../src/store/store.ts'
import { aCluster, aLease, aMachine, anImage, aSubnet, cidr, ip, mac, NOW } from './builders.ts'
import { configWith } from './dhcp-engine.ts'

const ROOT = new URL('../..', import.meta.url).pathname

/** A loopback network of this process's own, so that tests that run side by side never meet. */
const NET = `127.${100 + ((process.pid >> 8) % 100)}.${process.pid & 0xff}`

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [fact: string]: unknown
}

/** A real store, real files and the real HTTP servers on loopback; time stands still until a test moves it. */
export class BootWorld {
  readonly directory = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-boot-'))
  readonly address = ip(`${NET}.1`)
  readonly subnet = aSubnet({ cidr: cidr(`${NET}.0/24`) })
  readonly logged: LogLine[] = []
  readonly log = pino({ level: 'trace' }, { write: (line: string) => this.logged.push(JSON.parse(line)) })
  readonly store: Store
  readonly bell = new ClusterBell()
  readonly images: ImageLibrary
  loaders: LoaderManifest
  delivery = new FileDelivery({}, (broken, { sha256 }) => this.images.suspect(sha256, broken.message))
  selfTest: SelfTestReport = { isDone: true, checks: [] }
  #clockMs = 0
  #isStopping = false
  readonly #closing: (() => unknown)[] = []

  constructor() {
    this.store = Store.open({
      dataDir: path.join(this.directory, 'data'),
      migrationsDir: path.join(ROOT, 'migrations'),
      onFatal: (error) => {
        throw error
      },
      clocks: { wallMs: () => NOW + this.#clockMs, monotonicMs: () => this.#clockMs },
    })
    this.images = new ImageLibrary({
      store: this.store,
      directory: path.join(this.directory, 'data', 'images'),
      maxSetBytes: 1024 * 1024 * 1024,
      log: this.log,
    })
    this.store.onCommit((effects) => this.bell.ringFor(effects))
    this.loaders = LoaderManifest.read(path.join(this.directory, 'loaders'))
  }

  /** The address of machine `n`. */
  addressOf(n: number): Ipv4 {
    return ip(`${NET}.${10 + n}`)
  }

  macOf(n: number): Mac {
    return mac(`02:00:00:00:00:0${n}`)
  }

  passTime(ms: number): void {
    this.#clockMs += ms
  }

  /** Writes effects as a decision would. */
  async put(...effects: readonly Effect[]): Promise<void> {
    await this.store.decide(
      () => undefined,
      () => ({ reply: undefined, reason: 'set up by the test', effects }),
    )
  }

  /** Machines 1 to `count`, armed in one cluster, with their leases. */
  async addMachines(count: number, image: Image = anImage()): Promise<void> {
    const { founding: _, probe: __, ...cluster } = aCluster({ createdAtMs: NOW })
    await this.put({ kind: 'put-cluster', cluster }, { kind: 'put-image', image })
    for (let n = 1; n <= count; n += 1) {
      const machine = aMachine({
        id: `m${n}`,
        name: `node0${n}`,
        macs: [this.macOf(n)],
        imageId: image.id,
        reservedAddress: this.addressOf(n),
      })
      const subnet = `${NET}.0/24`
      const lease = aLease({ subnet, mac: this.macOf(n), address: this.addressOf(n) })
      await this.put({ kind: 'put-machine', machine }, { kind: 'put-lease', lease })
    }
  }

  /** Writes files and takes them for an image; each is what `sizes` says long. */
  async addImage(
    sizes: Readonly<Record<string, number>>,
  ): Promise<{ image: Image; bytes: Map<string, Buffer> }> {
    const bytes = new Map<string, Buffer>()
    await this.images.open()
    const files = Object.entries(sizes).map(([name, size]) => {
      const content = randomBytes(size)
      bytes.set(name, content)
      const sha256 = createHash('sha256').update(content).digest('hex')
      const stored = this.images.pathOf(sha256)
      writeFileSync(stored, content)
      const role = name === 'bzImage' ? 'kernel' : name === 'initrd' ? 'initrd' : 'squashfs'
      return { name, role, bytes: size, sha256 } as const
    })
    const image = anImage({ id: 'abcdef0123456789', files })
    await this.addMachines(2, image)
    return { image, bytes }
  }

  /** Writes loaders with their manifest. */
  addLoaders(sizes: Readonly<Record<string, number>>): Map<string, Buffer> {
    const directory = path.join(this.directory, 'loaders')
    mkdirSync(directory, { recursive: true })
    const bytes = new Map<string, Buffer>()
    const files = Object.entries(sizes).map(([name, size]) => {
      const content = randomBytes(size)
      bytes.set(name, content)
      writeFileSync(path.join(directory, name), content)
      return {
        name,
        source_name: name,
        bytes: size,
        sha256: createHash('sha256').update(content).digest('hex'),
      }
    })
    writeFileSync(
      path.join(directory, 'manifest.json'),
      JSON.stringify({ version: 1, source: 'test', files }),
    )
    this.loaders = LoaderManifest.read(directory)
    return bytes
  }

  /** Starts the boot side. */
  async serveBoot(changes: Partial<BootContext['settings']> = {}): Promise<FastifyInstance> {
    const server = await startBootServer(
      {
        store: this.store,
        bell: this.bell,
        loaders: this.loaders,
        images: this.images,
        delivery: this.delivery,
        log: this.log,
        isStopping: () => this.#isStopping,
        settings: {
          serverAddress: this.address,
          port: 8080,
          subnets: [this.subnet],
          dhcpMode: 'authoritative',
          tokenBind: 'subnet',
          serverId: this.store.serverId,
          imageLimits: DEFAULT_IMAGE_LIMITS,
          ...changes,
        },
      },
      path.join(ROOT, 'boot-assets'),
    )
    this.#closing.push(() => {
      server.server.closeAllConnections()
      return server.close()
    })
    return server
  }

  /** Starts the operator side; asks go with `askApi`. */
  async serveOperator(problems: readonly string[] = []): Promise<FastifyInstance> {
    await this.images.open()
    const server = await startOperatorServer(
      {
        store: this.store,
        loaders: this.loaders,
        subnets: [this.subnet],
        serverAddress: this.address,
        places: [this.place],
        packetsOf: () => [],
        linkStates: () => [],
        addresses: 'ours',
        prober: { probeNow: async () => undefined, soon: () => undefined },
        images: this.images,
        imageLimits: DEFAULT_IMAGE_LIMITS,
        log: this.log,
        problems: () => problems,
        selfTest: () => this.selfTest,
        counters: () => ({}),
        stallWatch: new StallWatch({
          store: this.store,
          log: this.log,
          limits: DEFAULT_STALL_LIMITS,
          dataDir: this.directory,
        }),
        isStopping: () => this.#isStopping,
      },
      { host: this.address, port: 8090 },
    )
    this.#closing.push(() => server.close())
    return server
  }

  /** The one link, as DHCP would serve it. */
  get place(): DhcpPlace {
    const config = configWith({ serverAddress: this.address, subnets: [this.subnet] })
    return { config, address: this.address, ownAddresses: [this.address], loaders: this.loaders.names }
  }

  get bootUrl(): string {
    return `http://${this.address}:8080`
  }

  /** One request to the boot side from the address of machine `n`. */
  ask(
    n: number,
    url: string,
    more: { method?: 'GET' | 'POST' | 'HEAD'; headers?: Record<string, string>; body?: unknown } = {},
  ): Promise<Answer> {
    return exchange({ url: `${this.bootUrl}${url}`, localAddress: this.addressOf(n), ...more })
  }

  /** The script of machine `n` as its iPXE asks for it, and the token in it. */
  async fetchScript(n: number): Promise<{ text: string; token: string }> {
    const answer = await this.ask(n, this.scriptPath(n))
    const text = answer.body.toString()
    return { text, token: /pilotlight\.token=(\S+)/.exec(text)?.[1] ?? '' }
  }

  scriptPath(n: number): string {
    return `/boot/${macInPath(this.macOf(n))}.ipxe?uuid=a0000000-0000-4000-8000-00000000000${n}&serial=S${n}`
  }

  /** Redeems a token as node `n`. */
  redeem(
    n: number,
    token: string,
    more: { from?: number; nonce?: string; method?: 'GET' | 'HEAD'; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { from = n, nonce = 'ab'.repeat(16), method = 'GET', headers = {} } = more
    return this.ask(from, `/machines/${macInPath(this.macOf(n))}/cluster-config.json`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'pilotlight-nonce': nonce, ...headers },
    })
  }

  /** The types of all events so far, each with the reason that it gives. */
  async events(): Promise<readonly string[]> {
    // Traces ride the next commit: a durable unit brings them to the disk.
    await this.put({ kind: 'arm-machine', machineId: 'nobody', untilMs: undefined })
    return this.store.lists.events
      .after(0, 1000)
      .map(({ type, data }) => (data.reason === undefined ? type : `${type} ${data.reason}`))
  }

  /** The stage of the latest boot, within 10 s the wanted one: a client has its last byte before we note that. */
  async stageOnce(machineId: string, wanted: string): Promise<string | undefined> {
    for (let looks = 0; ; looks += 1) {
      await this.events()
      const stage = this.store.lists.attempts.latestOf(machineId)?.stage
      if (stage === wanted || looks === 1000) return stage
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Closes what listens; the store stays. */
  async stopServing(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
  }

  async close(): Promise<void> {
    this.#isStopping = true
    await this.stopServing()
    await this.images.close()
    await this.delivery.close()
    this.store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}
