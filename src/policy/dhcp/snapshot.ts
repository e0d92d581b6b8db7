import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Lease, Offer, ProbeVerdict } from '../../model/lease.ts'
import type { Machine } from '../../model/machine.ts'
import type { Quirk } from '../../model/quirk.ts'
import type { Subnet } from '../../model/subnet.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Moment } from '../decision.ts'

/** What the configuration says about DHCP, as machines of the asking subnet are to see it. */
export interface DhcpSettings {
  /** `authoritative` leases addresses, `proxy` adds boot data to another server's leases, `off` is silent. */
  readonly mode: 'authoritative' | 'proxy' | 'off'
  /** `ignore`: silence for a MAC of no machine; `discover`: a boot client becomes a machine nobody has accepted. */
  readonly unknownMachines: 'ignore' | 'discover'
  /** The address that DHCP answers from and that option 54 names. */
  readonly serverAddress: Ipv4
  /** True to ask for a probe before an address of the pool is offered. */
  readonly probesConflicts?: boolean
  /** Further addresses of this server that a client may name in option 54. */
  readonly otherAddresses?: readonly Ipv4[]
  /** Base of every URL handed out, without a slash at its end: `http://10.77.0.1:8080`. Names no host by name. */
  readonly bootUrl: string
  /** Flat names of the loaders on hand; no other is ever promised. */
  readonly loaders: ReadonlySet<string>
  /**
   * Proxy mode, UEFI: `binl` lets firmware ask port 4011 for its file, as it does by itself; `direct` tells it to use
   * the file of the offer, which some firmware ignores. Undefined: `binl`.
   */
  readonly proxyUefi?: 'binl' | 'direct'
  /** First three bytes of Raspberry Pi MACs, `dc:a6:32`. Undefined: the ones known to us. */
  readonly raspberryPiPrefixes?: readonly string[]
  /** Firmware that wants another shape of reply, in the order in which it counts; undefined: the shipped ones. */
  readonly quirks?: readonly Quirk[]
}

/** Who holds an address, or has a right to it. */
export interface AddressFacts {
  readonly address: Ipv4
  /** Id of the machine whose reservation it is. */
  readonly reservedFor?: string | undefined
  /** The lease row at this address; of several, the one that ends last. Ended ones count as free here. */
  readonly lease?: Lease | undefined
  /** The offer at this address, ended ones included. */
  readonly offer?: Offer | undefined
  readonly quarantinedUntilMs?: number | undefined
}

/** Everything that an answer to one DHCP message may depend on. */
export interface DhcpSnapshot extends Moment {
  /** 32 random bytes: ids of a machine or a boot attempt that begins are made of them. */
  readonly freshBytes: Uint8Array
  readonly settings: DhcpSettings
  /** The subnet of the question; undefined when no served one fits. */
  readonly subnet?: Subnet | undefined
  /** The machine that has the client's MAC. */
  readonly machine?: Machine | undefined
  /** This subnet and MAC's lease row, ended ones included. */
  readonly lease?: Lease | undefined
  /** This subnet and MAC's offer, ended ones included. */
  readonly offer?: Offer | undefined
  /** Facts about every address of `addressesToRead`. */
  readonly addresses: readonly AddressFacts[]
  /**
   * A free address of the pool where `needsPoolCandidate` asks for one: from hash(MAC) on the first never used, else the
   * one whose lease ended longest ago. Undefined: the pool has none, or none was needed.
   */
  readonly poolCandidate?: Ipv4 | undefined
  /** The machine's latest boot attempt, ended ones included. */
  readonly latestAttempt?: BootAttempt | undefined
  /** When loaders were sent whole to this machine in the last 3 minutes and since its last script, oldest first. */
  readonly loaderSends?: readonly number[] | undefined
  /** Addresses that this MAC declined and that are still in quarantine for it. */
  readonly declinesInForce?: number | undefined
  /** Machines discovered within the last 60 s, over all subnets. */
  readonly newMachinesInLastMinute?: number | undefined
  /** Addresses of this subnet's pool that are leased, offered or in quarantine, where `needsPoolCount` asks for it. */
  readonly poolHeld?: number | undefined
  /** What probes found in the last while, by address; absent: none was made. */
  readonly verdicts?: ReadonlyMap<Ipv4, ProbeVerdict> | undefined
  /** When the feed was last told of a fact about a subject, by `type subject`; absent: never. */
  readonly told?: ReadonlyMap<string, number> | undefined
  /**
   * When the server was last not running. Leases that ended in that time stay their holder's for one lease period after
   * it, since nobody could renew them.
   */
  readonly downtime?: { readonly fromMs: number; readonly untilMs: number } | undefined
}
