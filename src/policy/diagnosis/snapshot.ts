import type { Cluster, JoinSlot, Member, ServiceFounding } from '../../model/cluster.ts'
import type { StepRecord } from '../../model/first-boot.ts'
import type { Image } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'
import type { ServiceName } from '../../model/service.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Moment } from '../decision.ts'
import type { StallLimits } from './limits.ts'
import type { AttemptRecords } from './timeline.ts'

/** What a service said when the server last asked it, or why it said nothing. */
export interface HealthSeen {
  readonly address: Ipv4
  readonly service: ServiceName
  readonly atMs: number
  readonly isHealthy: boolean
  /** `leader`, `follower` or whatever else a Raft service says of itself. */
  readonly raft?: string
  /** One printable line: the answer, or the error. */
  readonly said: string
}

/** Another machine of the cluster, as far as somebody may wait for it. */
export interface Peer {
  readonly machine: Machine
  readonly heardAtMs?: number
  readonly stage?: string
  readonly steps: readonly StepRecord[]
}

/** How the server itself is. */
export interface ServerCondition {
  /** Bytes that are free where the database lies; undefined where the file system does not say. */
  readonly diskFreeBytes?: number
}

/** Everything that a diagnosis of one machine may use. */
export interface DiagnosisSnapshot extends Moment {
  readonly machine: Machine
  /** The attempt that counts: the current one while it runs, else the latest. */
  readonly records?: AttemptRecords
  readonly clockSkewMs?: number
  /** The address that this boot redeemed from. */
  readonly address?: Ipv4
  readonly image?: Image
  readonly cluster?: Cluster
  readonly members: readonly Member[]
  readonly slots: readonly JoinSlot[]
  readonly serviceFoundings: readonly ServiceFounding[]
  readonly peers: readonly Peer[]
  readonly health: readonly HealthSeen[]
  readonly limits: StallLimits
  readonly server: ServerCondition
  /** When this server began to serve: before that, silence is nobody's. */
  readonly servingSinceMs: number
}
