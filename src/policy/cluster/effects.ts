import type { Founding, JoinSlot, Member, Probe, QueueEntry, ServiceFounding } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import type { ServiceName } from '../../model/service.ts'

/** What founding, joining and membership may change. Every row is written whole: its decision read it in full. */
export type ClusterEffect =
  | { readonly kind: 'put-founding'; readonly clusterId: string; readonly founding: Founding }
  | { readonly kind: 'put-service-founding'; readonly row: ServiceFounding }
  | { readonly kind: 'put-member'; readonly member: Member }
  | { readonly kind: 'put-slot'; readonly slot: JoinSlot }
  | { readonly kind: 'queue-for-slot'; readonly entry: Omit<QueueEntry, 'arrivedSeq'> }
  | {
      readonly kind: 'leave-queue'
      readonly clusterId: string
      readonly step: GatedStep
      readonly machineId: string
    }
  | {
      readonly kind: 'put-gate-pass'
      readonly clusterId: string
      readonly step: GatedStep
      readonly machineId: string
      readonly bootId: string
      readonly atMs: number
    }
  | {
      readonly kind: 'drop-gate-pass'
      readonly clusterId: string
      readonly step: GatedStep
      readonly machineId: string
    }
  | { readonly kind: 'put-probe'; readonly clusterId: string; readonly probe: Probe }
  | {
      /** It was handed to the operator: what stays is when. */
      readonly kind: 'forget-cluster-secret'
      readonly clusterId: string
      readonly name: 'iam-admin-password'
      readonly atMs: number
    }
  | {
      /** What an operator gave for the server's own calls of a service; the store seals it with the server's key. */
      readonly kind: 'put-service-credential'
      readonly clusterId: string
      readonly service: ServiceName
      readonly text: string
    }
  | {
      readonly kind: 'drop-service-credential'
      readonly clusterId: string
      readonly service: ServiceName
    }
  | {
      /** A secret that the server made for a cluster; the store seals it with the server's key. Written once. */
      readonly kind: 'put-cluster-secret'
      readonly clusterId: string
      readonly name: 'iam-admin-password'
      readonly text: string
    }
