import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, JoinSlot, Member, ServiceFounding } from '../../model/cluster.ts'
import type { StepRecord } from '../../model/first-boot.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Moment } from '../decision.ts'

/** All that the decision about one report may use. */
export interface ReportSnapshot extends Moment {
  readonly machine: Machine
  readonly attempt: BootAttempt
  readonly cluster?: Cluster
  /** The steps of this boot. */
  readonly steps: readonly StepRecord[]
  readonly slots: readonly JoinSlot[]
  readonly members: readonly Member[]
  readonly serviceFoundings: readonly ServiceFounding[]
  /** Control-plane machines of the cluster that are ready, without this one. */
  readonly othersReady: number
  readonly address?: Ipv4
  /** The cluster whose configuration this boot redeemed. */
  readonly configuredFor: string
  /** True while the text of the redemption is still kept for a repeat. */
  readonly isConfigKept: boolean
}

/** `known`: recorded before, or too late to matter. `stale`: from a boot that no longer counts. */
export type ReportReply = 'recorded' | 'known' | 'stale'
