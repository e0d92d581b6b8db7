import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { call } from '../../src/cli/api-client.ts'
import { type ChildServer, startChildServer } from '../../src/rack/child-server.ts'
import type { BootView } from '../../src/rack/rack-run.ts'
import { DEBIAN_IPXE_DIR } from '../../src/servers/files/install-loaders.ts'
import { type CapturedDhcp, readCapture } from './dhcp-capture-file.ts'
import { inside, Namespaces, type Program } from './dhcp-netns.ts'
import { type FirmwareMachine, machineCommand } from './firmware-machine.ts'

const START = new URL('../../src/start.js', import.meta.url).pathname
const BRIDGE = 'br0'
/** A capture that does not grow for this long is whole. */
const QUIET_MS = 300

export interface FirmwareRackWish {
  /** The server's configuration: everything but where its files lie. */
  readonly yaml: string
  /** The machines are on 10.78.0.0/24, behind a router at 10.78.0.1 that is to relay their DHCP. */
  readonly isBehindRouter?: boolean
  /** A directory with iPXE binaries; undefined: Debian's. */
  readonly loadersFrom?: string
}

/** A machine as the API shows it, as far as these tests look. */
export interface MachineFacts {
  readonly uuid: string | null
  readonly serial: string | null
}

/**
 * A link with the real server at 10.77.0.1 and machines with real firmware on it; every end is a network namespace, and
 * nothing of it shows on the host. Machines are registered and not armed, so a script that parks them is where they end,
 * unless a test arms them.
 */
export class FirmwareRack {
  readonly namespaces: Namespaces
  /** The namespace of the machines' link; undefined router: the server is on it too. */
  readonly link: string
  readonly router: string | undefined
  readonly server: ChildServer
  readonly workDir: string
  readonly #serverSide: string

  private constructor(
    fields: Pick<FirmwareRack, 'namespaces' | 'link' | 'router' | 'server' | 'workDir'>,
    serverSide: string,
  ) {
    this.namespaces = fields.namespaces
    this.link = fields.link
    this.router = fields.router
    this.server = fields.server
    this.workDir = fields.workDir
    this.#serverSide = serverSide
  }

  static async start(wish: FirmwareRackWish): Promise<FirmwareRack> {
    const namespaces = new Namespaces()
    const workDir = mkdtempSync(path.join(tmpdir(), 'firmware-rack-'))
    try {
      const link = namespaces.add('link')
      const serverSide = namespaces.add('server')
      addBridge(link)
      let router: string | undefined
      if (wish.isBehindRouter === true) {
        router = namespaces.add('router')
        namespaces.join([serverSide, 'eth0', '10.77.0.1/24'], [router, 'up0', '10.77.0.2/24'])
        joinToLink(namespaces, link, router, '10.78.0.1/24')
        inside(serverSide, 'ip', 'route', 'add', '10.78.0.0/24', 'via', '10.77.0.2')
        inside(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
      } else {
        joinToLink(namespaces, link, serverSide, '10.77.0.1/24')
      }
      await routerAdvertisements(namespaces, link)
      const server = await startChildServer({
        rack: { commandPrefix: ['ip', 'netns', 'exec', serverSide], serverYaml: wish.yaml },
        workDir,
        startScript: START,
        loadersFrom: wish.loadersFrom ?? DEBIAN_IPXE_DIR,
      })
      return new FirmwareRack({ namespaces, link, router, server, workDir }, serverSide)
    } catch (error) {
      await namespaces.clear()
      rmSync(workDir, { recursive: true, force: true })
      throw error
    }
  }

  /** Another host on the machines' link, in a namespace of its own. */
  addHost(role: string, address: string): string {
    const host = this.namespaces.add(role)
    joinToLink(this.namespaces, this.link, host, address)
    return host
  }

  /** Registers a machine, a worker of no cluster where `more` says nothing else. */
  async register(machine: FirmwareMachine, more: object = {}): Promise<void> {
    const { name, mac, address, loader } = machine
    await this.post('/machines', { name, macs: [mac], role: 'worker', address, loader, ...more })
  }

  /** Registers a machine, switches it on, and gives its serial console. */
  async boot(machine: FirmwareMachine): Promise<Program> {
    await this.register(machine)
    return this.powerOn(machine)
  }

  /** Switches a machine on, and gives its serial console. */
  powerOn(machine: FirmwareMachine): Program {
    const { name } = machine
    const tap = `tap-${name}`
    inside(this.link, 'ip', 'tuntap', 'add', tap, 'mode', 'tap')
    inside(this.link, 'ip', 'link', 'set', tap, 'master', BRIDGE, 'up')
    return this.namespaces.start(this.link, machineCommand(machine, tap, this.workDir))
  }

  /** Reads a page of the operator's API. */
  get<Answer>(route: string): Promise<Answer> {
    return this.#call<Answer>('GET', route)
  }

  /** Calls the operator's API. */
  post<Answer>(route: string, body: object = {}): Promise<Answer> {
    return this.#call<Answer>('POST', route, body)
  }

  machine(name: string): Promise<MachineFacts> {
    return this.get(`/machines/${name}`)
  }

  async boots(name: string): Promise<readonly BootView[]> {
    return (await this.get<{ items: BootView[] }>(`/machines/${name}/boots`)).items
  }

  /** What the machine said of its RAM when it asked for its script in that boot, MiB. */
  async toldRamMib(boot: BootView | undefined): Promise<number | undefined> {
    type Exchange = { readonly kind: string; readonly facts: { readonly ram_mib?: number } }
    const { exchanges } = await this.get<{ exchanges: readonly Exchange[] }>(`/boots/${boot?.boot_id}`)
    return exchanges.find(({ kind }) => kind === 'script')?.facts.ram_mib
  }

  /** Captures the DHCP of a link from now on. */
  async capture(where: 'machines' | 'server'): Promise<void> {
    const file = path.join(this.workDir, `${where}.pcap`)
    const [ns, device] = where === 'machines' ? [this.link, BRIDGE] : [this.#serverSide, 'eth0']
    const ports = 'udp port 67 or udp port 68 or udp port 4011'
    // Root writes the file and reads it back. Without immediate mode the kernel hands packets over up to a second late.
    const options = ['--immediate-mode', '-U', '-Z', 'root', '-s', '0']
    const command = ['tcpdump', ...options, '-i', device, '-w', file, ports]
    const program = this.namespaces.start(ns, command)
    await program.line(/listening on/)
  }

  /** What was captured so far, in order of time, as tshark reads it; tcpdump has had time to write all of it. */
  async captured(where: 'machines' | 'server'): Promise<readonly CapturedDhcp[]> {
    const file = path.join(this.workDir, `${where}.pcap`)
    for (let size = -1; size !== statSync(file).size; await setTimeout(QUIET_MS)) size = statSync(file).size
    return readCapture(file)
  }

  async close(): Promise<void> {
    await this.namespaces.endAll()
    await this.server.stop()
    await this.namespaces.clear()
    rmSync(this.workDir, { recursive: true, force: true })
  }

  #call<Answer>(method: string, route: string, body?: unknown): Promise<Answer> {
    return call<Answer>(method, route, body, this.server)
  }
}

function addBridge(link: string): void {
  const kind = ['type', 'bridge', 'stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0']
  inside(link, 'ip', 'link', 'add', BRIDGE, ...kind)
  inside(link, 'ip', '-6', 'address', 'add', 'fd99::1/64', 'dev', BRIDGE, 'nodad')
  inside(link, 'ip', 'link', 'set', BRIDGE, 'up')
}

function joinToLink(namespaces: Namespaces, link: string, host: string, address: string): void {
  const port = `port${host.split('-').at(-1)}`.slice(0, 15)
  namespaces.join([link, port], [host, host.endsWith('router') ? 'down0' : 'eth0', address])
  inside(link, 'ip', 'link', 'set', port, 'master', BRIDGE)
}

/** iPXE of 2019 waits 16 s a stage on a link without IPv6 router advertisements. It opens no port of DHCPv4. */
async function routerAdvertisements(namespaces: Namespaces, link: string): Promise<void> {
  const program = namespaces.start(link, [
    ...['dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--port=0', `--interface=${BRIDGE}`],
    ...[
      '--bind-interfaces',
      '--enable-ra',
      '--dhcp-range=fd99::,ra-only,64,1h',
      '--leasefile-ro',
      '--user=root',
    ],
  ])
  await program.line(/router advertisement on fd99/)
}
