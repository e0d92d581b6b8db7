import type { Quirk } from '../model/quirk.ts'
import type { Subnet } from '../model/subnet.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import type { StallLimits } from '../policy/diagnosis/limits.ts'
import type { EventRetention } from '../policy/event-retention.ts'
import type { ImageLimits } from '../policy/image/preflight.ts'
import type { DeliveryLimits } from '../servers/http/file-delivery.ts'
import type { TftpLimits } from '../servers/tftp/tftp-limits.ts'

/** Where operators reach the server: an address, or a socket file that only this machine's users can open. */
export type ApiListen = { readonly host: string; readonly port: number } | { readonly path: string }

/** The configuration after loading: complete, checked, and in the model's own types. */
export interface Config {
  readonly dataDir: string
  /** The provisioning interface; undefined: nothing is served to machines. */
  readonly interface?: string
  /** The provisioning address: what machines reach this server at. */
  readonly serverAddress: Ipv4
  /** Further provisioning links, each with our address on it; their sockets come from systemd. */
  readonly furtherLinks?: readonly { readonly interface: string; readonly address: Ipv4 }[]
  readonly dhcp: {
    readonly mode: 'authoritative' | 'proxy' | 'off'
    readonly port: number
    readonly proxyPort: number
    readonly proxyUefi: 'binl' | 'direct'
    /** True to listen for other DHCP servers, and to ask for them every so many seconds. */
    readonly watch?: boolean
    readonly watchSeconds?: number
    /** True to probe an address of a pool before it is offered. */
    readonly conflictProbe?: boolean
    /** First three bytes of Raspberry Pi MACs; undefined: the ones known to us. */
    readonly raspberryPiMacs?: readonly string[]
    /** The shipped quirks with the operator's own; undefined: the shipped ones alone. */
    readonly quirks?: readonly Quirk[]
  }
  readonly subnets: readonly Subnet[]
  readonly unknownMachines: 'ignore' | 'discover'
  readonly tftp: {
    readonly enabled: boolean
    readonly port: number
    /** What differs from the server's own limits. */
    readonly limits?: Partial<TftpLimits>
  }
  readonly boot: {
    /** Where another server leases: the addresses that a boot token is good from. */
    readonly tokenBind?: 'subnet' | 'address'
    readonly port: number
    readonly imageBaseUrl?: string
    /** What differs from the server's own limits. */
    readonly delivery?: Partial<DeliveryLimits>
  }
  readonly images: {
    /** The most that one import may bring, in MiB. */
    readonly maxSetMib: number
    readonly limits: ImageLimits
  }
  readonly api: ApiListen
  /** How long a boot may stay where it is before it is told, with a likely cause. */
  readonly stall: StallLimits
  /** How long the feed keeps what happened. */
  readonly events: EventRetention
  readonly log: { readonly level: string; readonly format: 'auto' | 'pretty' | 'json' }
  readonly assetsDir: string
  /** The file that it came from; undefined: no file, loopback only. */
  readonly file?: string
}
