import { copyFileSync } from 'node:fs'
import path from 'node:path'
import { dyingWithParent } from '../../src/rack/child-process.ts'
import { type VirtualFirmware, virtualMachineCommand } from '../../src/rack/virtual-machine.ts'
import type { Program } from './dhcp-netns.ts'

/** A QEMU machine of a firmware rack. */
export interface FirmwareMachine {
  readonly name: string
  readonly firmware: VirtualFirmware | 'uefi-arm64'
  readonly mac: string
  readonly uuid: string
  readonly serial: string
  /** Its reservation; undefined: the pool. */
  readonly address?: string
  /** The loader that it is registered with, as a ROM that is to be treated as plain PXE. */
  readonly loader?: string
  /** Its RAM; undefined: enough for firmware and loader. */
  readonly memoryMiB?: number
}

const MEMORY_MIB = 256
const AAVMF = '/usr/share/AAVMF'

/** A machine whose name, addresses and identity follow from its number. */
export function aFirmwareMachine(
  number: number,
  firmware: FirmwareMachine['firmware'],
  more: Partial<FirmwareMachine> = {},
): FirmwareMachine {
  return {
    name: `node${number}`,
    firmware,
    mac: `52:54:00:77:00:0${number}`,
    uuid: `77777777-2222-4333-8444-55555555550${number}`,
    serial: `FIRMWARE-000${number}`,
    ...more,
  }
}

/** The command that is the machine; its serial console is its standard output. */
export function machineCommand(machine: FirmwareMachine, tap: string, workDir: string): readonly string[] {
  const { firmware } = machine
  if (firmware === 'uefi-arm64') return dyingWithParent(arm64Command(machine, tap, workDir))
  const wish = { memoryMiB: MEMORY_MIB, ...machine, firmware, tap, workDir }
  return dyingWithParent([...virtualMachineCommand(wish), '-no-reboot'])
}

/** The machine's own words for: the script was fetched with its SMBIOS values, and it is this machine's. */
export function parkedLine(console: Program, { name, mac }: FirmwareMachine): Promise<string> {
  const who = `${name} \\(${mac.replaceAll(':', '-')}\\)`
  return console.line(new RegExp(`Pilotlight: ${who} waits: it is not armed`))
}

function arm64Command(machine: FirmwareMachine, tap: string, workDir: string): readonly string[] {
  const { name, mac, uuid, serial } = machine
  const variables = path.join(workDir, `${name}.vars.fd`)
  copyFileSync(path.join(AAVMF, 'AAVMF_VARS.fd'), variables)
  return [
    ...['qemu-system-aarch64', '-accel', 'tcg,tb-size=128', '-machine', 'virt', '-cpu', 'cortex-a57'],
    ...['-m', '512', '-nodefaults', '-no-user-config', '-nographic', '-serial', 'stdio', '-monitor', 'none'],
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${path.join(AAVMF, 'AAVMF_CODE.fd')}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${variables}`],
    ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=n0,mac=${mac},romfile=,bootindex=1`, '-device', 'virtio-rng-pci'],
    ...[
      '-uuid',
      uuid,
      '-smbios',
      `type=1,manufacturer=Pilotlight,product=Rack,serial=${serial},uuid=${uuid}`,
    ],
    '-no-reboot',
  ]
}
