import type { Cluster, FleetHold } from '../../model/cluster.ts'
import type { FirstBootStep } from '../../model/first-boot.ts'
import type { AcceptedIdentity, HoldReason, Machine } from '../../model/machine.ts'
import type { MachineFile } from '../../model/machine-file.ts'

/** What an operator's call may change. */
export type MachineEffect =
  | { readonly kind: 'put-machine'; readonly machine: Machine }
  | { readonly kind: 'put-machine-file'; readonly machineId: string; readonly file: MachineFile }
  | { readonly kind: 'remove-machine-file'; readonly machineId: string; readonly path: string }
  | { readonly kind: 'delete-machine'; readonly machineId: string }
  | { readonly kind: 'arm-machine'; readonly machineId: string; readonly untilMs: number | undefined }
  | {
      /** Why it is held, or at which step it stops; neither: nothing holds it. */
      readonly kind: 'hold-machine'
      readonly machineId: string
      readonly reason?: HoldReason
      readonly step?: FirstBootStep
    }
  | { readonly kind: 'accept-machine-as'; readonly machineId: string; readonly identity: AcceptedIdentity }
  | { readonly kind: 'put-fleet-hold'; readonly hold: FleetHold | undefined }
  | {
      /** Remembers what an operator's call was answered, so that the same call again changes nothing. */
      readonly kind: 'remember-answer'
      readonly key: string
      readonly requestSha256: string
      readonly answer: string
      readonly atMs: number
    }
  | { readonly kind: 'put-cluster'; readonly cluster: Omit<Cluster, 'founding' | 'probe'> }
