import type { ForeignServer } from '../../model/foreign-server.ts'
import type { Lease, Offer, ProbeVerdict } from '../../model/lease.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'

/** What a DHCP decision may change. Which of these hold the reply until COMMIT: `policy/effect.ts`. */
export type DhcpEffect =
  | { readonly kind: 'put-offer'; readonly offer: Offer }
  | { readonly kind: 'drop-offer'; readonly subnet: string; readonly mac: Mac }
  | { readonly kind: 'put-lease'; readonly lease: Lease }
  | { readonly kind: 'release-lease'; readonly subnet: string; readonly mac: Mac; readonly atMs: number }
  | {
      /** Leases of these addresses are this subnet's from now on; of several of one client the one that ends last stays. */
      readonly kind: 'adopt-leases'
      readonly subnet: string
      readonly first: Ipv4
      readonly last: Ipv4
    }
  | {
      readonly kind: 'quarantine-address'
      readonly subnet: string
      readonly address: Ipv4
      /** The client that found it taken. */
      readonly mac: Mac
      readonly untilMs: number
      readonly why: 'declined' | 'answered-probe'
    }
  | { readonly kind: 'note-foreign-server'; readonly server: ForeignServer }
  | { readonly kind: 'note-verdict'; readonly address: Ipv4; readonly verdict: ProbeVerdict }
  | {
      /** The feed was told of a fact that repeats itself with every packet; it need not hear of it again at once. */
      readonly kind: 'note-told'
      readonly type: string
      readonly subject: string
      readonly atMs: number
    }
  | {
      /** Proxy mode: the address that a machine is about to have from another server, by its own word. */
      readonly kind: 'overhear-address'
      readonly mac: Mac
      readonly address: Ipv4
    }
  | {
      readonly kind: 'discover-machine'
      readonly machineId: string
      readonly mac: Mac
      readonly atMs: number
    }
