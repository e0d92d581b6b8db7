import type { Role } from '../model/machine.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'

/** One machine of a rack, as it is registered and as it is shown. */
export interface RackMachine {
  readonly name: string
  readonly mac: Mac
  readonly uuid: string
  readonly serial: string
  readonly address: Ipv4
  /** For people: `BIOS, iPXE ROM`. */
  readonly firmware: string
  /** What it is in its cluster; undefined: a control-plane machine. */
  readonly role?: Role
  /** The loader override that it is registered with. */
  readonly loader?: string
}

/** A machine that was switched on. */
export interface PoweredMachine {
  /** Rejects when the machine cannot go on by itself. */
  readonly ended: Promise<void>
  powerOff(): Promise<void>
}

/** A private place with machines, for demos, boot tests and end-to-end tests. */
export interface Rack {
  readonly mode: 'qemu' | 'simulated'
  readonly machines: readonly RackMachine[]
  /** A directory with `netboot.ipxe`, kernel and initrd. */
  readonly imageDirectory: string
  /** PEM of the CA that the machines' services are signed by; undefined for an image that brings none. */
  readonly caPem?: string
  /** The server's configuration without `data_dir`, `assets_dir` and `api.listen`, as YAML. */
  readonly serverYaml: string
  /** What stands before a command that is to run inside the rack. */
  readonly commandPrefix: readonly string[]
  powerOn(machine: RackMachine): Promise<PoweredMachine>
  /** Where to look when a machine hangs; empty where there is nothing to look at. */
  logOf(machine: RackMachine): string
  /** What went over the machine's port, as pcap; empty where nothing is captured. */
  captureOf(machine: RackMachine): string
  /** Takes everything down; can be called twice. */
  close(): Promise<void>
}
