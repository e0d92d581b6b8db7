import type { Architecture, Firmware } from './architecture.ts'

type Cpu = NonNullable<Architecture['cpu']>
type Row = readonly [code: number, name: string, firmware: Firmware, cpu?: Cpu, loader?: string]

/**
 * The values of option 93 that have a meaning (IANA "Processor Architecture Types"). Only rows with a loader are
 * served by loader; the others get a lease without boot data.
 */
const ROWS: readonly Row[] = [
  [0, 'x86 BIOS', 'bios', 'i386', 'undionly.kpxe'],
  [1, 'NEC/PC98', 'other'],
  [2, 'Itanium UEFI', 'uefi'],
  [3, 'DEC Alpha', 'other'],
  [4, 'Arc x86', 'other'],
  [5, 'Intel Lean Client', 'other'],
  [6, 'x86 UEFI', 'uefi', 'i386', 'snponly-i386.efi'],
  [7, 'x64 UEFI', 'uefi', 'x86_64', 'snponly.efi'],
  [8, 'Xscale UEFI', 'uefi'],
  // EBC by the registry; x64 on firmware older than erratum 4624 of RFC 4578, which had 7 and 9 swapped.
  [9, 'x64 UEFI (EBC)', 'uefi', 'x86_64', 'snponly.efi'],
  [10, 'ARM 32-bit UEFI', 'uefi', 'arm32', 'snponly-arm32.efi'],
  [11, 'ARM 64-bit UEFI', 'uefi', 'arm64', 'snponly-arm64.efi'],
  [12, 'PowerPC Open Firmware', 'other'],
  [13, 'PowerPC ePAPR', 'other'],
  [14, 'POWER OPAL', 'other'],
  [21, 'ARM 32-bit U-Boot', 'u-boot', 'arm32'],
  [22, 'ARM 64-bit U-Boot', 'u-boot', 'arm64'],
  [25, 'RISC-V 32-bit UEFI', 'uefi'],
  [27, 'RISC-V 64-bit UEFI', 'uefi', 'riscv64', 'snponly-riscv64.efi'],
  [29, 'RISC-V 128-bit UEFI', 'uefi'],
  [31, 's390 basic', 'other'],
  [32, 's390 extended', 'other'],
  [33, 'MIPS 32-bit UEFI', 'uefi'],
  [34, 'MIPS 64-bit UEFI', 'uefi'],
  [35, 'Sunway 32-bit UEFI', 'uefi'],
  [36, 'Sunway 64-bit UEFI', 'uefi'],
  [37, 'LoongArch 32-bit UEFI', 'uefi'],
  [39, 'LoongArch 64-bit UEFI', 'uefi', 'loong64', 'snponly-loong64.efi'],
  [41, 'ARM rpiboot', 'other'],
]

/** UEFI HTTP Boot values and the row above whose machine they are. */
const HTTP_TWINS: readonly (readonly [code: number, of: number])[] = [
  [15, 6],
  [16, 7],
  [17, 9],
  [18, 10],
  [19, 11],
  [20, 0],
  [23, 21],
  [24, 22],
  [26, 25],
  [28, 27],
  [30, 29],
  [38, 37],
  [40, 39],
]

const ARCHITECTURES: ReadonlyMap<number, Architecture> = buildTable()

function buildTable(): ReadonlyMap<number, Architecture> {
  const table = new Map<number, Architecture>()
  for (const [code, name, firmware, cpu, loader] of ROWS) {
    table.set(code, {
      code,
      name,
      firmware,
      isHttpBoot: false,
      ...(cpu === undefined ? {} : { cpu }),
      ...(loader === undefined ? {} : { loader }),
    })
  }
  for (const [code, of] of HTTP_TWINS) {
    const machine = table.get(of)
    if (machine !== undefined) {
      table.set(code, { ...machine, code, name: `${machine.name} HTTP boot`, isHttpBoot: true })
    }
  }
  return table
}

/** The architecture with this number; undefined when the number is not in the registry as we know it. */
export function architectureOf(code: number): Architecture | undefined {
  return ARCHITECTURES.get(code)
}

/** All rows, by number: for the manifest of loaders, the documentation and tests. */
export function allArchitectures(): readonly Architecture[] {
  return [...ARCHITECTURES.values()].sort((a, b) => a.code - b.code)
}
