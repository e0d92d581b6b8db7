import type { Ipv4 } from '../net/ipv4.ts'
import type { FirstBootStep, GateAction, GatedStep } from './first-boot.ts'
import type { Role } from './machine.ts'
import type { RoleServices } from './services.ts'

/** The life of a cluster's founding lease; `founded` is left only for `lost`, `frozen`, `open` by refound, `closed`. */
export type FoundingState = 'open' | 'granted' | 'doubtful' | 'founded' | 'lost' | 'frozen' | 'closed'

/** What the server saw when it last asked the members itself. */
export type ProbeResult = 'leader-quorum' | 'no-leader' | 'two-leaders' | 'unreachable'

/** The two services that are Raft groups of their own and are founded once. */
export type RaftService = 'chainfire' | 'flaredb'

export interface Cluster {
  /** UUID, new at each creation, so that a re-created cluster never meets an old one's data. */
  readonly id: string
  readonly name: string
  readonly stateKind: 'persistent' | 'ephemeral'
  readonly expectedControlPlane: number
  readonly held: boolean
  /** The step at which its machines stop; undefined while held: at every step, and before they boot. */
  readonly holdStep?: FirstBootStep
  readonly founding: Founding
  readonly probe: Probe
  readonly settings: ClusterSettings
  readonly createdAtMs: number
}

export interface Founding {
  readonly state: FoundingState
  /** 0 until the first grant; each grant takes `nextEpoch`. */
  readonly epoch: number
  readonly nextEpoch: number
  readonly holderMachineId?: string
  readonly holderBootId?: string
  /** The only machine that may found, after `founding move` or `refound`. */
  readonly reservedFor?: string
  readonly foundedAtMs?: number
  /** What it was before it froze, and what froze it. */
  readonly frozenFrom?: Exclude<FoundingState, 'frozen' | 'closed'>
  readonly frozenBy?: FreezeCause
  /** Fresh member ids count from above it: a restored database may have forgotten some. */
  readonly incarnationFloor: number
  /** After a restore no machine boots by itself until somebody said what is true. */
  readonly isRearmPaused: boolean
}

/** `leader-there`: F2. `bound-boot`: F4 found another boot in the founder's epoch. */
export type FreezeCause = 'leader-there' | 'bound-boot' | 'two-leaders' | 'restore' | 'take-over'

export interface Probe {
  readonly result?: ProbeResult
  readonly probedAtMs?: number
  /** Base URL of the Chainfire leader as last seen, `https://10.77.0.11:2379`. */
  readonly leaderUrl?: string
  /** Base URL of the FlareDB leader as last seen, `https://10.77.0.11:2479`. */
  readonly flaredbLeaderUrl?: string
  /** When a Chainfire leader was last known, by a probe or by a member's own word. */
  readonly leaderSeenAtMs?: number
  /** When two leaders were first seen; asked again after 10 s before that freezes the cluster. */
  readonly twoLeadersAtMs?: number
  /** What the last round told of each Raft group. */
  readonly groups?: { readonly [Service in RaftService]?: GroupFacts }
  /** What a member itself reported, for servers that cannot reach the members. */
  readonly reported?: { readonly [Service in RaftService]?: ReportedLeader }
}

export interface ReportedLeader {
  readonly url: string
  readonly atMs: number
}

/** What one round of questions told of one Raft group. */
export interface GroupFacts {
  readonly result: ProbeResult
  readonly atMs: number
  /** Base URL of its one healthy leader. */
  readonly leaderUrl?: string
  /** The voters of the group as it tells them itself: by its list, else by its cluster_size; the larger of the two. */
  readonly toldVoters?: number
  /** Member ids of its list; undefined where there was none this time. */
  readonly listed?: readonly string[]
  /** Those of them that do not vote: workers, and voters that joined as learners and were not promoted yet. */
  readonly learners?: readonly string[]
  /** `there` or `absent` once the list was answered or was 404 or 405 the first time. */
  readonly list: 'unknown' | 'there' | 'absent'
  /** Ids of machines that answered healthy as its leader or follower. */
  readonly healthyMachineIds: readonly string[]
  /** True where its list and its cluster_size differ, or it lists who is not ours: nothing is freed then. */
  readonly differs: boolean
}

/** A hold over every machine: at every step, or from one on. */
export interface FleetHold {
  readonly step?: FirstBootStep
}

/** What an operator sets for a cluster. */
export interface ClusterSettings {
  /** PEM of the CA that signs the services' certificates. */
  readonly healthCa?: string
  /** Join and setup endpoints where they differ from the defaults of `defaultServicesApi`. */
  readonly servicesApi?: Readonly<Record<string, Readonly<Record<string, string | number | null>>>>
  /** Which services a role runs, where that differs from `SERVICES_OF_ROLE`. */
  readonly services?: RoleServices
  /** Whether Chainfire's `cluster_size` counts voters only (our default) or all members. */
  readonly clusterSizeCounts?: 'voters' | 'all'
  /** Merged into every `cluster-config.json` of the cluster; reserved keys are refused. */
  readonly extraConfig?: Readonly<Record<string, unknown>>
  /** The same by role, laid over it; a machine's own is laid over both. */
  readonly roleConfig?: { readonly [Name in Role]?: Readonly<Record<string, unknown>> }
  /** A clock that is further off keeps the Raft join gates shut; undefined: 30 s. */
  readonly clockSkewLimitMs?: number
  /** Who boots again after having been ready: machines that are the same as before (default), or nobody by itself. */
  readonly rearm?: 'same-identity' | 'manual'
}

/** FlareDB's founding and IAM's set-up: each happens once per epoch. */
export interface ServiceFounding {
  readonly clusterId: string
  readonly service: 'flaredb' | 'iam'
  readonly state: 'none' | 'granted' | 'done'
  readonly epoch: number
  readonly machineId?: string
  readonly slotNo?: number
}

export type MemberState = 'joining' | 'member' | 'removing' | 'removed' | 'lost'

/** One life of one machine's data in one Raft group. Fresh data means a fresh incarnation and so a fresh member id. */
export interface Member {
  readonly clusterId: string
  readonly service: RaftService
  readonly machineId: string
  readonly incarnation: number
  /** `node01.3`: name and incarnation. */
  readonly memberId: string
  readonly address: Ipv4
  readonly voter: boolean
  readonly epoch: number
  readonly bootId: string
  readonly state: MemberState
  /**
   * Whose word the state stands on, its machine's or its group's. `joining` by `report`: it says that it is in, the group is
   * asked. `removed` by `report`: given back unsent; by `list`: never seen in; by neither: it was in, and is out.
   */
  readonly confirmedBy?: 'report' | 'list'
}

/** The one place in a (cluster, step) where a membership change happens; Raft changes one member at a time. */
export interface JoinSlot {
  readonly clusterId: string
  readonly step: GatedStep
  readonly state: 'free' | 'held' | 'suspect' | 'server'
  readonly action?: GateAction
  readonly machineId?: string
  readonly bootId?: string
  readonly memberId?: string
  readonly epoch?: number
  /** Grows by one at each grant and never falls. */
  readonly slotNo: number
  readonly heardAtMs?: number
  readonly failures: number
  /** The event that was told of it last, so that it is told once. */
  readonly noted?: string
}

/** A machine waiting for a slot; the order is by role (founder, control plane, worker), then by arrival. */
export interface QueueEntry {
  readonly clusterId: string
  readonly step: GatedStep
  readonly machineId: string
  readonly bootId: string
  readonly arrivedSeq: number
}

/** A worker that passed a gate and has not ended the step. */
export interface GatePass {
  readonly clusterId: string
  readonly step: GatedStep
  readonly machineId: string
  readonly bootId: string
}

/** What was handed out at the one redemption of a boot. */
export interface Redemption {
  readonly bootId: string
  readonly clusterId: string
  /** The epoch it founds; undefined where it does not bootstrap. */
  readonly epoch?: number
  readonly bootstrap: boolean
  readonly nonce: string
  readonly address: Ipv4
  readonly configSha256: string
}
