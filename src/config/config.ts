import type { Subnet } from '../model/subnet.ts'
import type { Ipv4 } from '../net/ipv4.ts'

/** Where operators reach the server: an address, or a socket file that only this machine's users can open. */
export type ApiListen = { readonly host: string; readonly port: number } | { readonly path: string }

/** The configuration after loading: complete, checked, and in the model's own types. */
export interface Config {
  readonly dataDir: string
  /** The provisioning interface; undefined: nothing is served to machines. */
  readonly interface?: string
  /** The provisioning address: what machines reach this server at. */
  readonly serverAddress: Ipv4
  readonly dhcp: {
    readonly mode: 'authoritative' | 'proxy' | 'off'
    readonly port: number
    readonly proxyPort: number
    readonly proxyUefi: 'binl' | 'direct'
  }
  readonly subnets: readonly Subnet[]
  readonly unknownMachines: 'ignore' | 'discover'
  readonly tftp: { readonly enabled: boolean; readonly port: number }
  readonly boot: { readonly port: number; readonly imageBaseUrl?: string }
  readonly api: ApiListen
  readonly log: { readonly level: string; readonly format: 'auto' | 'pretty' | 'json' }
  readonly assetsDir: string
  /** The file that it came from; undefined: no file, loopback only. */
  readonly file?: string
}
