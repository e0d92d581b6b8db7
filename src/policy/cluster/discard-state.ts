import type { Cluster } from '../../model/cluster.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** State that may live is given up only by whoever types the name of its cluster; undefined: it is right, or was not typed. */
export function discardFault({ name }: Cluster, typed: string | undefined): Refusal | undefined {
  if (typed === undefined || typed === name) return undefined
  return refusal(
    409,
    'name-mistyped',
    `the name typed is not ${name}`,
    `--discard-state ${name}`,
    'discard_state',
  )
}
