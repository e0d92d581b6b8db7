import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'
import { SimulatedMachine } from '../sim/simulated-machine.ts'
import type { PoweredMachine, Rack, RackMachine } from './rack.ts'
import { makeServiceCertificates } from './service-certificates.ts'

/** Loopback addresses of this process: a rack of another one beside it has its own. */
const NET = `127.77.${(process.pid % 250) + 1}`
const SERVER = `${NET}.1` as Ipv4
const RELAY = `${NET}.2` as Ipv4
const PORTS = { dhcp: 6767, proxy: 6411, tftp: 6969, boot: 18080 }

const SERVER_YAML = `server_address: ${SERVER}
dhcp: { mode: authoritative, port: ${PORTS.dhcp}, proxy_port: ${PORTS.proxy} }
subnets:
  - cidr: ${NET}.0/24
    pool: ${NET}.100-${NET}.199
    lease_seconds: 3600
tftp: { port: ${PORTS.tftp} }
boot: { port: ${PORTS.boot} }
`

/** Firmware that a simulated machine can have, as people read it. */
const FIRMWARES = {
  bios: 'BIOS, iPXE ROM',
  'bios-pxe': 'BIOS, plain PXE',
  uefi: 'UEFI x64 PXE',
  'uefi-http': 'UEFI x64 HTTP Boot',
} as const
export type SimulatedFirmware = keyof typeof FIRMWARES

/** Simulated machines on loopback addresses of their own, the demo's three by default; needs neither root nor QEMU. */
export async function makeSimulatedRack(
  workDir: string,
  firmwares: readonly SimulatedFirmware[] = ['bios', 'bios-pxe', 'uefi'],
  ownImage?: string,
): Promise<Rack> {
  const machines = firmwares.map((kind, index) => simulatedMachine(kind, index + 1))
  const imageDirectory = ownImage ?? path.join(workDir, 'image')
  if (ownImage === undefined) await writeStandInImage(imageDirectory)
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
    captureOf: () => '',
    async powerOn(machine: RackMachine): Promise<PoweredMachine> {
      const simulated = new SimulatedMachine({
        mac: machine.mac,
        uuid: machine.uuid,
        serial: machine.serial,
        firmware: machine.firmware.startsWith('UEFI') ? 'uefi' : 'bios',
        usesHttpBoot: machine.firmware.includes('HTTP'),
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

function simulatedMachine(kind: SimulatedFirmware, number: number): RackMachine {
  return {
    name: `node0${number}`,
    mac: `52:54:00:77:00:0${number}` as Mac,
    uuid: `77777777-2222-4333-8444-55555555550${number}`,
    serial: `SIM-000${number}`,
    address: `${NET}.1${number}` as Ipv4,
    firmware: FIRMWARES[kind],
  }
}

/** An image that only a simulated machine can boot: magic numbers and random bytes, with an honest script. */
async function writeStandInImage(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const kernel = randomBytes(2 * 1024 * 1024)
  kernel.write('\x55\xaaxxHdrS\x0f\x02', 0x1fe, 'latin1')
  kernel.writeUInt16LE(1, 0x236)
  await writeFile(path.join(directory, 'bzImage'), kernel)
  const initrd = randomBytes(8 * 1024 * 1024)
  initrd.write('070701', 0, 'latin1')
  await writeFile(path.join(directory, 'initrd'), initrd)
  const script = [
    '#!ipxe',
    'kernel bzImage init=/nix/store/stand-in/init initrd=initrd loglevel=4 ${cmdline}',
    'initrd initrd',
    'boot',
    '',
  ]
  await writeFile(path.join(directory, 'netboot.ipxe'), script.join('\n'))
}
