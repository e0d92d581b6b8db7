import type { Cluster } from '../../model/cluster.ts'
import type { Image } from '../../model/image.ts'
import type { Machine } from '../../model/machine.ts'

/** What an operator's call may change. */
export type MachineEffect =
  | { readonly kind: 'put-machine'; readonly machine: Machine }
  | { readonly kind: 'delete-machine'; readonly machineId: string }
  | { readonly kind: 'arm-machine'; readonly machineId: string; readonly untilMs: number | undefined }
  | { readonly kind: 'put-cluster'; readonly cluster: Omit<Cluster, 'founding' | 'probe'> }
  | { readonly kind: 'put-image'; readonly image: Image; readonly directory: string }
