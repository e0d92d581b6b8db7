import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'

/**
 * An address that is, or was, one client's. The key is (subnet, MAC): firmware, iPXE and the operating system of one
 * box send different client identifiers, and all of them keep the one address (RFC 2131 §4.2 keys by option 61; see
 * docs/decisions/0003-lease-key.md). Rows of ended leases stay, so that a machine gets its old address again.
 */
export interface Lease {
  /** The subnet's CIDR, `10.77.0.0/24`. */
  readonly subnet: string
  readonly mac: Mac
  readonly address: Ipv4
  readonly state: 'active' | 'released'
  readonly grantedAtMs: number
  readonly expiresAtMs: number
  /** Option 61 as last sent, hex; an attribute, not a key. */
  readonly clientId?: string
  /**
   * The relay's address that the client took for its server's (option 82 sub-option 11, RFC 5107): its renewals name
   * that one, with or without the relay's own word beside it. Undefined: our own address.
   */
  readonly serverId?: Ipv4
}

/** An address promised in a DHCPOFFER: in memory only, for 120 s. */
export interface Offer {
  readonly subnet: string
  readonly mac: Mac
  readonly address: Ipv4
  readonly expiresAtMs: number
}

/** Whether somebody answered at an address when it was probed. */
export interface ProbeVerdict {
  readonly isTaken: boolean
  readonly atMs: number
}
