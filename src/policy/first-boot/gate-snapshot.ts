import type { BootAttempt } from '../../model/boot-attempt.ts'
import type {
  Cluster,
  FleetHold,
  GatePass,
  JoinSlot,
  Member,
  QueueEntry,
  ServiceFounding,
} from '../../model/cluster.ts'
import type { GateAction, GatedStep, StepRecord } from '../../model/first-boot.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Moment } from '../decision.ts'
import type { Staleness } from './staleness.ts'

/** What a machine asks at a gate. */
export interface GateRequest {
  readonly step: GatedStep
  /** The marker in the service's data directory, `cluster_id:epoch:member_id`; empty: no data. */
  readonly marker: string
  readonly clockMs?: number
}

/** A machine in the queue, with what its place in it depends on. */
export interface Waiting extends QueueEntry {
  readonly role: Machine['role']
  readonly isHolder: boolean
  readonly heardAtMs: number
}

/** A worker that is on its way through the step, and when it was last heard. */
export interface WorkerPass extends GatePass {
  readonly heardAtMs: number
}

/** All that a gate's decision may use. */
export interface GateSnapshot extends Moment {
  readonly machine: Machine
  readonly attempt: BootAttempt
  readonly cluster: Cluster
  readonly fleetHold?: FleetHold
  /** The steps of this boot. */
  readonly steps: readonly StepRecord[]
  readonly slot: JoinSlot
  /** The slots of all steps. */
  readonly slots: readonly JoinSlot[]
  readonly queue: readonly Waiting[]
  /** Workers that passed this gate and have not ended the step. */
  readonly passes: readonly WorkerPass[]
  readonly members: readonly Member[]
  readonly serviceFoundings: readonly ServiceFounding[]
  /** The address that this boot redeemed from. */
  readonly address: Ipv4
  /** The cluster whose configuration this boot redeemed. */
  readonly configuredFor: string
  /** The last sign of life of the founder's founding boot, while that is current. */
  readonly holderHeardAtMs?: number
  /** IAM's admin password where it was made already, and one that nobody has seen yet. */
  readonly adminPassword?: string
  readonly freshPassword: string
}

/** Open with what to do, shut with why, or stale: this boot is no longer the one that counts. */
export type GateReply =
  | {
      readonly kind: 'open'
      readonly action: GateAction
      readonly slotNo: number
      readonly epoch: number
      readonly memberId: string | null
      readonly leaderUrl: string | null
      readonly voter: boolean
      readonly secret?: { readonly admin_user: string; readonly admin_password: string }
    }
  | { readonly kind: 'shut'; readonly reason: string; readonly place?: number; readonly detail: string }
  | { readonly kind: 'stale'; readonly reason: Staleness }
