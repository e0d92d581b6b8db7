import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'
import type { ExtraOption } from './extra-option.ts'
import type { FirstBootStep } from './first-boot.ts'

/** Where a machine stands in its life; the table of what it may boot in each is `policy/boot/choose-script.ts`. */
export type MachineState =
  | 'discovered' // seen on the wire, accepted by nobody
  | 'enrolled' // known to the operator
  | 'armed' // may be provisioned until `armedUntilMs`
  | 'booting' // a script with a boot token went out
  | 'first-boot' // its configuration was redeemed
  | 'installed' // install mode: its system is on its disk, from which it goes on to ready
  | 'ready' // all four first-boot steps succeeded
  | 'failed'
  | 'held' // by the operator

/** `all-in-one`: a control-plane machine that also runs what a worker runs. */
export type Role = 'control-plane' | 'worker' | 'all-in-one'

/** Does a machine of this role found clusters and vote in them? */
export function isControlPlane(role: Role): boolean {
  return role !== 'worker'
}

/** Why a machine is held: by an operator's word, or by ours until an operator looks at it. */
export type HoldReason = 'operator' | 'fenced' | 'decommissioned' | 'identity' | 'boot-loop'

/** Held by the server's own word, until an operator has looked: an arm ends it. */
export function isHeldByServer(machine: Pick<Machine, 'state' | 'holdReason'>): boolean {
  const { state, holdReason } = machine
  return state === 'held' && (holdReason === 'identity' || holdReason === 'boot-loop')
}

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
  /** The image it boots, or the name whose promoted version it boots; never both. */
  readonly imageId?: string
  readonly imageName?: string
  /** Its memory in MiB, as the operator states it or its loader reported it. */
  readonly ramMib?: number
  /** Kernel parameters of its own, after those of the image. */
  readonly kernelArguments?: readonly string[]
  readonly bootMode: BootMode
  readonly localBoot: LocalBoot
  /** A loader of the manifest that this machine gets first, whatever it says it is; undefined: by architecture. */
  readonly loader?: string
  /** Options that this machine gets beside, or in place of, its subnet's. */
  readonly dhcpOptions?: readonly ExtraOption[]
  /** The reserved address, in whichever subnet holds it. */
  readonly reservedAddress?: Ipv4
  /** End of the operator's arm; undefined when not armed. */
  readonly armedUntilMs?: number
  /** The boot attempt whose redemption made it this machine's current one. */
  readonly currentBootId?: string
  /** Why it is held, where its state is `held`. */
  readonly holdReason?: HoldReason
  /** The first-boot step at which it stops, while its state is any other. */
  readonly holdStep?: FirstBootStep
  /** Merged into its `cluster-config.json` over what its cluster and role say. */
  readonly extraConfig?: Readonly<Record<string, unknown>>
  /** What it was at the last boot that was accepted; it boots again without a person only as the same. */
  readonly acceptedAs?: AcceptedIdentity
  readonly createdAtMs: number
}

/** What a machine said and where it stood when its configuration was redeemed. */
export interface AcceptedIdentity {
  /** The port that it hangs on, as its relay names it (option 82); undefined where none does. */
  readonly relayPort?: string
  readonly uuid?: string
  readonly serial?: string
  readonly mac: Mac
  readonly address: Ipv4
}
