import type { Ipv4 } from '../net/ipv4.ts'
import type { GateAction, GatedStep } from './first-boot.ts'

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
}

export interface Probe {
  readonly result?: ProbeResult
  readonly probedAtMs?: number
  /** Base URL of the Chainfire leader as last seen, `https://10.77.0.11:2379`. */
  readonly leaderUrl?: string
  /** Base URL of the FlareDB leader as last seen, `https://10.77.0.11:2479`. */
  readonly flaredbLeaderUrl?: string
}

/** What an operator sets for a cluster. */
export interface ClusterSettings {
  /** PEM of the CA that signs the services' certificates. */
  readonly healthCa?: string
  /** Join and setup endpoints where they differ from the defaults of `defaultServicesApi`. */
  readonly servicesApi?: Readonly<Record<string, Readonly<Record<string, string | number | null>>>>
  /** Merged into every `cluster-config.json` of the cluster; reserved keys are refused. */
  readonly extraConfig?: Readonly<Record<string, unknown>>
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
}

/** A machine waiting for a slot; the order is by role (founder, control plane, worker), then by arrival. */
export interface QueueEntry {
  readonly clusterId: string
  readonly step: GatedStep
  readonly machineId: string
  readonly bootId: string
  readonly arrivedSeq: number
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
