import type { Lease, Offer } from '../../model/lease.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

/** What a DHCP decision may change. Which of these hold the reply until COMMIT: `policy/effect.ts`. */
export type DhcpEffect =
  | { readonly kind: 'put-offer'; readonly offer: Offer }
  | { readonly kind: 'drop-offer'; readonly subnet: string; readonly mac: Mac }
  | { readonly kind: 'put-lease'; readonly lease: Lease }
  | { readonly kind: 'release-lease'; readonly subnet: string; readonly mac: Mac; readonly atMs: number }
  | {
      readonly kind: 'quarantine-address'
      readonly subnet: string
      readonly address: Ipv4
      /** The client that found it taken. */
      readonly mac: Mac
      readonly untilMs: number
      readonly why: 'declined' | 'answered-probe'
    }
  | {
      readonly kind: 'discover-machine'
      readonly machineId: string
      readonly mac: Mac
      readonly atMs: number
    }
