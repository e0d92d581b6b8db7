import type { Cluster, FleetHold } from '../../model/cluster.ts'
import { FIRST_BOOT_STEPS, type FirstBootStep } from '../../model/first-boot.ts'
import type { Machine } from '../../model/machine.ts'

/** The sentences of the holds that are ended elsewhere than at the machine's state. */
export const HELD = {
  fleet: 'an operator holds the whole fleet',
  cluster: 'an operator holds the cluster',
  machineHere: 'an operator holds this machine here',
} as const

/** What holds a machine before a step: the sentence that its console and its gate show; undefined: nothing does. */
export function heldBefore(
  step: FirstBootStep,
  machine: Machine,
  cluster: Cluster,
  fleet: FleetHold | undefined,
): string | undefined {
  if (fleet !== undefined && reaches(fleet.step, step)) return HELD.fleet
  if (cluster.held && reaches(cluster.holdStep, step)) return HELD.cluster
  if (machine.state === 'held') return `this machine is held (${machine.holdReason ?? 'operator'})`
  if (machine.holdStep !== undefined && reaches(machine.holdStep, step)) return HELD.machineHere
  return undefined
}

/** A hold at a step lets the steps before it pass; one at no step lets none. */
function reaches(holdStep: FirstBootStep | undefined, step: FirstBootStep): boolean {
  if (holdStep === undefined) return true
  return FIRST_BOOT_STEPS.indexOf(step) >= FIRST_BOOT_STEPS.indexOf(holdStep)
}
