import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'

/** Another DHCP server that was heard on a provisioning link. */
export interface ForeignServer {
  /** What it calls itself in option 54, else where its packet came from. */
  readonly serverId: Ipv4
  readonly sourceAddress: Ipv4
  readonly seenAtMs: number
  /** The client that it answered. */
  readonly mac: Mac
  readonly message: 'offer' | 'ack' | 'nak'
  /** The address that it offered or granted. */
  readonly offered: Ipv4
  /** True when its answer also says what to boot, or that it is the one to ask (option 60). */
  readonly hasBootData: boolean
}
