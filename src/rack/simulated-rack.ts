import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'
import { SimulatedMachine } from '../sim/simulated-machine.ts'
import type { PoweredMachine, Rack, RackMachine } from './rack.ts'
import { makeServiceCertificates } from './service-certificates.ts'

const SERVER = '127.77.0.1' as Ipv4
const RELAY = '127.77.0.2' as Ipv4
const PORTS = { dhcp: 6767, proxy: 6411, tftp: 6969, boot: 18080 }

const SERVER_YAML = `server_address: ${SERVER}
dhcp: { mode: authoritative, port: ${PORTS.dhcp}, proxy_port: ${PORTS.proxy} }
subnets:
  - cidr: 127.77.0.0/24
    pool: 127.77.0.100-127.77.0.199
    lease_seconds: 3600
tftp: { port: ${PORTS.tftp} }
boot: { port: ${PORTS.boot} }
`

/** Three simulated machines on loopback addresses of their own; needs neither root nor QEMU. */
export async function makeSimulatedRack(workDir: string): Promise<Rack> {
  const machines = ['bios-ipxe', 'bios-plain', 'uefi'].map((kind, index) => simulatedMachine(kind, index + 1))
  const imageDirectory = path.join(workDir, 'image')
  await writeStandInImage(imageDirectory)
  const identity = makeServiceCertificates(machines.map((machine) => machine.address))
  const running: SimulatedMachine[] = []
  return {
    mode: 'simulated',
    machines,
    imageDirectory,
    caPem: identity.caPem,
    serverYaml: SERVER_YAML,
    commandPrefix: [],
    logOf: () => '',
    async powerOn(machine: RackMachine): Promise<PoweredMachine> {
      const simulated = new SimulatedMachine({
        mac: machine.mac,
        uuid: machine.uuid,
        serial: machine.serial,
        firmware: machine.firmware.startsWith('UEFI') ? 'uefi' : 'bios',
        romIsIpxe: machine.firmware.includes('iPXE ROM'),
        dhcp: { address: SERVER, port: PORTS.dhcp },
        tftpPort: PORTS.tftp,
        relayAddress: RELAY,
        identity,
      })
      running.push(simulated)
      return { ended: simulated.run(), powerOff: () => simulated.powerOff() }
    },
    async close() {
      await Promise.all(running.splice(0).map((machine) => machine.powerOff()))
    },
  }
}

function simulatedMachine(kind: string, number: number): RackMachine {
  const firmware =
    { 'bios-ipxe': 'BIOS, iPXE ROM', 'bios-plain': 'BIOS, plain PXE', uefi: 'UEFI x64 PXE' }[kind] ?? kind
  return {
    name: `node0${number}`,
    mac: `52:54:00:77:00:0${number}` as Mac,
    uuid: `77777777-2222-4333-8444-55555555550${number}`,
    serial: `SIM-000${number}`,
    address: `127.77.0.1${number}` as Ipv4,
    firmware,
  }
}

/** An image that only a simulated machine can boot: a kernel's magic number and random bytes, with an honest script. */
async function writeStandInImage(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const kernel = randomBytes(2 * 1024 * 1024)
  kernel.write('HdrS', 0x202, 'latin1')
  await writeFile(path.join(directory, 'bzImage'), kernel)
  await writeFile(path.join(directory, 'initrd'), randomBytes(8 * 1024 * 1024))
  const script = [
    '#!ipxe',
    'kernel bzImage init=/nix/store/stand-in/init initrd=initrd loglevel=4 ${cmdline}',
    'initrd initrd',
    'boot',
    '',
  ]
  await writeFile(path.join(directory, 'netboot.ipxe'), script.join('\n'))
}
