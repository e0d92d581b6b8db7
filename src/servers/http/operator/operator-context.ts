import type { Logger } from 'pino'
import type { Subnet } from '../../../model/subnet.ts'
import type { Ipv4 } from '../../../net/ipv4.ts'
import type { Mac } from '../../../net/mac.ts'
import type { ImageLimits } from '../../../policy/image/preflight.ts'
import type { AddressKeeping } from '../../../policy/machine/arm-fault.ts'
import type { Store } from '../../../store/store.ts'
import type { ClusterProber } from '../../cluster-prober.ts'
import type { LinkState } from '../../dhcp/dhcp-links.ts'
import type { DhcpPlace } from '../../dhcp/dhcp-place.ts'
import type { RecordedPacket } from '../../dhcp/recorded-packet.ts'
import type { StallWatch } from '../../diagnosis/stall-watch.ts'
import type { LoaderManifest } from '../../files/loader-manifest.ts'
import type { ImageLibrary } from '../../images/image-library.ts'

/** One thing that the server fetched from itself as a machine would. */
export interface SelfTestCheck {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  /** What to do when it is not ok; empty otherwise. */
  readonly cure: string
}

export interface SelfTestReport {
  /** False until the first test after the start has ended. */
  readonly isDone: boolean
  readonly checks: readonly SelfTestCheck[]
}

/** What every route of the operator side is given. */
export interface OperatorContext {
  readonly store: Store
  readonly loaders: LoaderManifest
  readonly subnets: readonly Subnet[]
  readonly serverAddress: Ipv4
  /** The provisioning links, the first one first; there whether or not DHCP is served. */
  readonly places: readonly DhcpPlace[]
  /** The links that DHCP is served on, and how. */
  linkStates(): readonly LinkState[]
  /** The last DHCP packets of these MACs, oldest first. */
  packetsOf(macs: readonly Mac[]): readonly RecordedPacket[]
  /** Whose leases control-plane machines have: ours, or another DHCP server's. */
  readonly addresses: AddressKeeping
  /** Asks a cluster's members now, for decisions that believe only what is fresh. */
  readonly prober: Pick<ClusterProber, 'probeNow' | 'soon'>
  readonly images: ImageLibrary
  /** What a machine must have to boot an image. */
  readonly imageLimits: ImageLimits
  readonly log: Logger
  /** What `/readyz` reports: problems that stop machines from booting; empty when ready. */
  problems(): readonly string[]
  /** What came of fetching all that is advertised. */
  selfTest(): SelfTestReport
  /** Drops and errors by reason since start, by server. */
  counters(): Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Says where a machine stands and why. */
  readonly stallWatch: StallWatch
  isStopping(): boolean
}
