/** How the firmware of a machine boots from the network. */
export type Firmware = 'bios' | 'uefi' | 'u-boot' | 'other'

/** One value of option 93, "Processor Architecture Types" (RFC 4578 §2.1 and the IANA registry after it). */
export interface Architecture {
  readonly code: number
  readonly name: string
  readonly firmware: Firmware
  /** True for the values that mean UEFI HTTP Boot. */
  readonly isHttpBoot: boolean
  /** The instruction set, as Linux and iPXE's `${buildarch}` name it; undefined where we serve none. */
  readonly cpu?: 'i386' | 'x86_64' | 'arm32' | 'arm64' | 'riscv64' | 'loong64'
  /** The loader's flat name, the same by TFTP and HTTP; undefined: a lease without boot data. */
  readonly loader?: string
}
