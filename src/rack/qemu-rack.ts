import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'
import { endProcess, startProcess } from './child-process.ts'
import { CAPTURE_PACKAGE, ensurePackages, RACK_PACKAGES } from './debian-packages.ts'
import { demoImage } from './demo-image.ts'
import { RackLedger, sweepLeftovers } from './leftovers.ts'
import type { PoweredMachine, Rack, RackMachine } from './rack.ts'
import { RackNetwork } from './rack-network.ts'
import { type VirtualFirmware, virtualMachineCommand } from './virtual-machine.ts'

const SERVER_YAML = `interface: br0
server_address: 10.77.0.1
dhcp: { mode: authoritative }
subnets:
  - cidr: 10.77.0.0/24
    pool: 10.77.0.100-10.77.0.199
    router: 10.77.0.1
    lease_seconds: 3600
`
const MEMORY_MIB = 512

export interface QemuMachine extends RackMachine {
  readonly kind: VirtualFirmware
}

export interface QemuRackOptions {
  readonly workDir: string
  readonly programDir: string
  readonly say: (line: string) => void
  readonly signal: AbortSignal
  /** The machines; undefined: the three of the demo. */
  readonly machines?: readonly QemuMachine[]
  /** An image of the caller's own; undefined: the demo's, built where no kept one fits. */
  readonly image?: { readonly directory: string; readonly caPem?: string }
  /** RAM of each machine; undefined: what the demo's image needs. */
  readonly memoryMiB?: number
  /** Keeps what goes over each machine's port. */
  readonly captures?: boolean
}

/** The demo's three: a BIOS whose ROM is iPXE, a BIOS that is chain-loaded as plain PXE would be, and UEFI's own PXE. */
export const DEMO_MACHINES: readonly QemuMachine[] = [
  qemuMachine(1, 'bios', 'BIOS, iPXE ROM'),
  { ...qemuMachine(2, 'bios', 'BIOS, plain PXE'), loader: 'ipxe.pxe' },
  qemuMachine(3, 'uefi', 'UEFI x64 PXE'),
]

export function qemuMachine(number: number, kind: VirtualFirmware, firmware: string): QemuMachine {
  return {
    kind,
    firmware,
    name: `node${twoDigits(number)}`,
    mac: `52:54:00:77:00:${twoDigits(number)}` as Mac,
    uuid: `77777777-2222-4333-8444-5555555555${twoDigits(number)}`,
    serial: `RACK-00${twoDigits(number)}`,
    address: `10.77.0.${10 + number}` as Ipv4,
  }
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

/** A rack of QEMU machines on a link of their own, with real firmware. Needs root; installs what it lacks. */
export async function makeQemuRack(options: QemuRackOptions): Promise<Rack> {
  const { workDir, programDir, say, signal, machines = DEMO_MACHINES } = options
  const swept = await sweepLeftovers()
  if (swept > 0) say(`took down ${swept} rack(s) that an earlier run left behind`)
  await ensurePackages(
    options.captures === true ? [...RACK_PACKAGES, CAPTURE_PACKAGE] : RACK_PACKAGES,
    say,
    signal,
  )
  const image =
    options.image ??
    (await demoImage({
      programDir,
      // The demo's always among them: a rack of fewer machines takes the image that is kept for the demo.
      addresses: [...new Set([...DEMO_MACHINES, ...machines].map((machine) => machine.address))],
      say,
      signal,
    }))

  const namespace = `pilotlight-${randomBytes(3).toString('hex')}`
  const ledger = new RackLedger(namespace)
  const network = await RackNetwork.create(namespace, '10.77.0.1/24')
  say(`rack: network namespace ${namespace}, bridge ${network.bridge}, nothing else is on it`)
  const processes: ChildProcess[] = []
  const captureOf = (machine: RackMachine) =>
    options.captures === true ? path.join(workDir, `${machine.name}.pcap`) : ''
  const tapped = new Set<string>()
  const logOf = (machine: RackMachine) => path.join(workDir, `${machine.name}.serial.log`)
  const start = (command: readonly string[], logFile: string): ChildProcess => {
    const child = startProcess([...network.commandPrefix, ...command], logFile)
    processes.push(child)
    ledger.note(child.pid)
    return child
  }
  start(routerAdvertisements(network.bridge), path.join(workDir, 'router-advertisements.log'))
  return {
    mode: 'qemu',
    machines,
    imageDirectory: image.directory,
    ...(image.caPem === undefined ? {} : { caPem: image.caPem }),
    serverYaml: SERVER_YAML,
    commandPrefix: network.commandPrefix,
    logOf,
    captureOf,
    async powerOn(wanted: RackMachine): Promise<PoweredMachine> {
      const machine = machines.find((candidate) => candidate.name === wanted.name)
      if (machine === undefined) throw new Error(`the rack has no machine ${wanted.name}`)
      const tap = `tap-${machine.name}`
      // A machine that is switched off and on again keeps its port.
      if (!tapped.has(tap)) {
        await network.addTap(tap)
        tapped.add(tap)
        if (options.captures === true)
          start(captureCommand(tap, captureOf(machine)), `${captureOf(machine)}.log`)
      }
      const command = virtualMachineCommand({
        ...machine,
        firmware: machine.kind,
        tap,
        memoryMiB: options.memoryMiB ?? MEMORY_MIB,
        workDir,
      })
      const child = start(command, logOf(machine))
      const ended = once(child, 'exit').then(([code]) => {
        throw new Error(`QEMU ended with ${code}; see ${logOf(machine)}`)
      })
      return { ended, powerOff: () => endProcess(child) }
    },
    async close() {
      await Promise.all(processes.splice(0).map((child) => endProcess(child)))
      await network.destroy()
      ledger.forget()
    },
  }
}

/** The first 600 bytes of every packet: whole DHCP messages, the heads of all else; an image would fill the disk. */
function captureCommand(tap: string, file: string): readonly string[] {
  return ['tcpdump', '-i', tap, '-n', '-U', '-s', '600', '-Z', 'root', '-w', file]
}

/** iPXE of 2019 waits 16 s a stage on a link without IPv6 router advertisements; this sends them and nothing else. */
function routerAdvertisements(bridge: string): readonly string[] {
  return [
    'dnsmasq',
    '--no-daemon',
    '--conf-file=/dev/null',
    '--port=0',
    `--interface=${bridge}`,
    '--bind-interfaces',
    '--enable-ra',
    '--dhcp-range=fd99::,ra-only,64,1h',
    '--leasefile-ro',
    '--user=root',
  ]
}
