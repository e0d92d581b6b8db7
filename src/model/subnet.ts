import type { Cidr, Ipv4, Ipv4Range } from '../net/ipv4.ts'
import type { ExtraOption } from './extra-option.ts'

/** One network that machines are on, as the configuration file states it. */
export interface Subnet {
  readonly cidr: Cidr
  /** Addresses for machines without a reservation; undefined: reservations only. */
  readonly pool?: Ipv4Range
  readonly router?: Ipv4
  readonly dns: readonly Ipv4[]
  readonly domain?: string
  readonly ntp: readonly Ipv4[]
  readonly leaseSeconds: number
  /** What DHCP does here; undefined: what it does everywhere (`dhcp.mode`). */
  readonly dhcpMode?: 'authoritative' | 'proxy' | 'off'
  /** Further options for machines of this subnet. */
  readonly options?: readonly ExtraOption[]
  /** The address that machines of this subnet reach this server at; undefined: the interface's own. */
  readonly bootAddress?: Ipv4
  /** True where many machines ask from one address, behind NAT: limits per address are off. */
  readonly sharedAddresses?: boolean
}
