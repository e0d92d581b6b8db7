import { copyFileSync, existsSync } from 'node:fs'
import path from 'node:path'

/** Firmware that a QEMU machine can have. */
export type VirtualFirmware = 'bios' | 'uefi' | 'uefi-http'

export interface VirtualMachineWish {
  readonly firmware: VirtualFirmware
  readonly mac: string
  readonly uuid: string
  readonly serial: string
  readonly tap: string
  readonly memoryMiB: number
  /** For the machine's own copy of the UEFI variables. */
  readonly workDir: string
  readonly name: string
}

const OVMF = '/usr/share/OVMF'

/** The command that is a machine: software emulation, one port, serial console on standard output, network first. */
export function virtualMachineCommand(wish: VirtualMachineWish): readonly string[] {
  const { firmware, mac, uuid, serial, tap, memoryMiB } = wish
  const isUefi = firmware !== 'bios'
  // romfile= keeps QEMU's own iPXE away, so that the firmware's network stack is the one that boots.
  const rom = isUefi ? ',romfile=,bootindex=1' : ''
  return [
    'qemu-system-x86_64',
    ...[
      '-accel',
      'tcg,tb-size=128',
      '-machine',
      isUefi ? 'q35' : 'pc',
      '-cpu',
      'max',
      '-smp',
      '1',
      '-m',
      String(memoryMiB),
    ],
    ...['-nodefaults', '-no-user-config', '-nographic', '-serial', 'stdio', '-monitor', 'none', '-boot', 'n'],
    ...['-device', 'virtio-rng-pci'],
    ...[
      '-netdev',
      `tap,id=n0,ifname=${tap},script=no,downscript=no`,
      '-device',
      `virtio-net-pci,netdev=n0,mac=${mac}${rom}`,
    ],
    ...[
      '-uuid',
      uuid,
      '-smbios',
      `type=1,manufacturer=Pilotlight,product=Rack,serial=${serial},uuid=${uuid}`,
    ],
    ...(isUefi ? uefiDrives(wish) : []),
    ...(firmware === 'uefi-http' ? withoutPxe() : []),
  ]
}

function uefiDrives({ workDir, name }: VirtualMachineWish): readonly string[] {
  const code = path.join(OVMF, 'OVMF_CODE_4M.fd')
  if (!existsSync(code)) throw new Error(`${code} is not here: install Debian's ovmf package`)
  const variables = path.join(workDir, `${name}.vars.fd`)
  copyFileSync(path.join(OVMF, 'OVMF_VARS_4M.fd'), variables)
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${variables}`],
  ]
}

/** UEFI HTTP Boot comes after PXE in the firmware's order; a machine without PXE goes straight to it. */
function withoutPxe(): readonly string[] {
  return ['IPv4PXESupport', 'IPv6PXESupport'].flatMap((name) => [
    '-fw_cfg',
    `name=opt/org.tianocore/${name},string=no`,
  ])
}
