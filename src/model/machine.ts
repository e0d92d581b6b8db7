import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'

/** Where a machine stands in its life; the table of what it may boot in each is `policy/boot/choose-script.ts`. */
export type MachineState =
  | 'discovered' // seen on the wire, accepted by nobody
  | 'enrolled' // known to the operator
  | 'armed' // may be provisioned until `armedUntilMs`
  | 'booting' // a script with a boot token went out
  | 'first-boot' // its configuration was redeemed
  | 'installed' // install mode: written to disk, on its way through the reboot
  | 'ready' // all four first-boot steps succeeded
  | 'failed'
  | 'held' // by the operator

export type Role = 'control-plane' | 'worker'

/**
 * `netboot`: the image runs from RAM at every boot. `install`: the image is booted until the machine reports
 * `installed`, then the disk. `local`: always the disk.
 */
export type BootMode = 'netboot' | 'install' | 'local'

/** How a boot script hands over to the local disk. */
export type LocalBoot = 'exit' | 'sanboot' | 'not-found'

/** A physical box: one identity over all its network ports. MACs are unique across machines. */
export interface Machine {
  /** Opaque, made by us: neither MAC nor UUID, since boards and cards are exchanged. */
  readonly id: string
  /** The operator's name for it, also its host name: one DNS label. */
  readonly name: string
  readonly macs: readonly Mac[]
  /** SMBIOS system UUID, lower case; compared, never a key. */
  readonly uuid?: string
  readonly serial?: string
  readonly role: Role
  readonly state: MachineState
  readonly clusterId?: string
  readonly imageId?: string
  readonly bootMode: BootMode
  readonly localBoot: LocalBoot
  /** A loader of the manifest that this machine gets first, whatever it says it is; undefined: by architecture. */
  readonly loader?: string
  /** The reserved address, in whichever subnet holds it. */
  readonly reservedAddress?: Ipv4
  /** End of the operator's arm; undefined when not armed. */
  readonly armedUntilMs?: number
  /** The boot attempt whose redemption made it this machine's current one. */
  readonly currentBootId?: string
  readonly createdAtMs: number
}
