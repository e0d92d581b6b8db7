import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Ipv4, ipv4ToNumber } from '../../../src/net/ipv4.ts'
import type { Mac } from '../../../src/net/mac.ts'
import type { Effect } from '../../../src/policy/effect.ts'
import { Store } from '../../../src/store/store.ts'
import type { Namespaces, Program } from '../../support/dhcp-netns.ts'
import { startKea } from '../../support/kea.ts'

/** The address that all servers serve at, and the subnet that their clients are in, behind a relay. */
export const SERVER_ADDRESS = '10.90.0.1'
export const RELAY_ADDRESS = '10.100.0.1'
const LEAST_SERVER = fileURLToPath(new URL('./least-server.ts', import.meta.url))
const PROGRAM_DIR = fileURLToPath(new URL('../../..', import.meta.url))
const CPU_TICK_MS = 10

/** A DHCP server that is to be measured. */
export interface BenchServer {
  readonly name: string
  start(namespaces: Namespaces, ns: string, workDir: string): Promise<Program>
}

export interface PilotlightWish {
  /** MACs that are to be known, 02:00 and four bytes. */
  readonly clients: readonly number[]
  readonly logLevel?: string
  readonly nodeArgs?: readonly string[]
}

/** Pilotlight as it is installed: `serve` with its database on the disk. */
export function pilotlight(wish: PilotlightWish, name = 'pilotlight'): BenchServer {
  return {
    name,
    async start(namespaces, ns, workDir) {
      const config = path.join(workDir, 'pilotlight.yaml')
      writeFileSync(config, pilotlightYaml(workDir, wish.logLevel ?? 'warn'))
      await registerMachines(path.join(workDir, 'data'), wish.clients)
      const command = [process.execPath, ...(wish.nodeArgs ?? []), path.join(PROGRAM_DIR, 'src', 'start.js')]
      const program = namespaces.start(ns, [...command, 'serve', '--config', config])
      await untilListening(namespaces, ns, program)
      return program
    },
  }
}

/** Without logging of each message, as all of them are measured here. */
export const DNSMASQ: BenchServer = {
  name: 'dnsmasq',
  async start(namespaces, ns, workDir) {
    const program = namespaces.start(ns, [
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--interface=s0'],
      ...['--bind-interfaces', '--no-ping', '--quiet-dhcp', '--log-facility=-', '--pid-file', '--user=root'],
      ...[
        `--dhcp-leasefile=${path.join(workDir, 'leases')}`,
        '--dhcp-lease-max=200000',
        '--dhcp-authoritative',
      ],
      '--dhcp-range=10.100.1.0,10.101.255.250,255.254.0.0,1h',
    ])
    await program.line(/DHCP, IP range/)
    return program
  },
}

/** A bound, not a server: see `least-server.ts`. */
export const LEAST: BenchServer = {
  name: 'the least in Node',
  async start(namespaces, ns, workDir) {
    const firstAddress = String(ipv4ToNumber('10.100.1.0' as Ipv4))
    const program = namespaces.start(ns, [
      ...[process.execPath, LEAST_SERVER, SERVER_ADDRESS, RELAY_ADDRESS, firstAddress, workDir],
    ])
    await program.line(/^listening$/)
    return program
  },
}

/** Kea with its leases in a file, on one thread or several. */
export function kea(threads: number): BenchServer {
  return {
    name: threads === 0 ? 'kea, threads off' : `kea, ${threads} threads`,
    async start(namespaces, ns, workDir) {
      const program = await startKea(namespaces, ns, workDir, keaConfig(threads))
      await untilListening(namespaces, ns, program)
      return program
    },
  }
}

/** Runs `work` beside a fresh server, and takes the server down. */
export async function withServer<Result>(
  namespaces: Namespaces,
  ns: string,
  server: BenchServer,
  work: (program: Program) => Promise<Result>,
): Promise<Result> {
  const workDir = mkdtempSync(path.join(tmpdir(), 'dhcp-bench-'))
  try {
    const program = await server.start(namespaces, ns, workDir)
    try {
      return await work(program)
    } finally {
      await program.end()
    }
  } finally {
    rmSync(workDir, { recursive: true, force: true })
  }
}

/** CPU time of a process so far, in ms: its own, all threads. */
export function cpuMsOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * CPU_TICK_MS
}

export function macOf(client: number): Mac {
  const hex = client.toString(16).padStart(8, '0')
  return `02:00:${(hex.match(/../g) ?? []).join(':')}` as Mac
}

/** Makes every MAC a machine's, straight in the database: a hall of them by HTTP would take longer than the bench. */
export async function registerMachines(dataDir: string, clients: readonly number[]): Promise<void> {
  const store = Store.open({
    dataDir,
    migrationsDir: path.join(PROGRAM_DIR, 'migrations'),
    onFatal: (error) => {
      throw error
    },
  })
  const effects: Effect[] = clients.map((client) => ({
    kind: 'put-machine',
    machine: {
      id: `m-${client}`,
      name: `node-${client}`,
      macs: [macOf(client)],
      role: 'worker',
      state: 'enrolled',
      bootMode: 'netboot',
      localBoot: 'exit',
      createdAtMs: 0,
    },
  }))
  await store.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'arranged', effects }),
  )
  store.close()
}

export function pilotlightYaml(workDir: string, logLevel: string): string {
  mkdirSync(path.join(workDir, 'assets'), { recursive: true })
  return `data_dir: ${path.join(workDir, 'data')}
assets_dir: ${path.join(workDir, 'assets')}
interface: s0
server_address: ${SERVER_ADDRESS}
api: { listen: "unix:${path.join(workDir, 'api.sock')}" }
log: { format: json, level: ${logLevel} }
tftp: { enabled: false }
dhcp: { mode: authoritative, conflict_probe: false }
subnets:
  - { cidr: 10.100.0.0/15, pool: 10.100.1.0-10.101.255.250, lease_seconds: 3600 }
  - { cidr: 10.90.0.0/24 }
`
}

function keaConfig(threads: number) {
  const threading = {
    'enable-multi-threading': threads > 0,
    'thread-pool-size': threads,
    'packet-queue-size': 64,
  }
  return {
    'interfaces-config': { interfaces: ['s0'], 'dhcp-socket-type': 'udp' },
    'valid-lifetime': 3600,
    authoritative: true,
    'multi-threading': threading,
    subnet4: [{ subnet: '10.100.0.0/15', pools: [{ pool: '10.100.1.0 - 10.101.255.250' }] }],
  }
}

/** Waits until port 67 is bound in the namespace. */
export async function untilListening(namespaces: Namespaces, ns: string, program: Program): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (program.child.exitCode !== null) throw new Error(`the server ended:\n${program.text}`)
    if (/:67\s/.test(namespaces.inside(ns, 'ss', '-Hlun'))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no server on port 67 within 30 s:\n${program.text}`)
}
