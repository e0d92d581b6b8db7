import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Cluster, JoinSlot, Member, RaftService, ServiceFounding } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import type { Machine } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Moment } from '../decision.ts'

/** One cluster whole: what its ticks, its probes and its operator's calls decide from. */
export interface ClusterPicture extends Moment {
  readonly cluster: Cluster
  readonly machines: readonly Machine[]
  /** The current and the latest boots of its machines, and those that slots name. */
  readonly attempts: readonly BootAttempt[]
  readonly members: readonly Member[]
  /** All three, those that were never taken too. */
  readonly slots: readonly JoinSlot[]
  readonly serviceFoundings: readonly ServiceFounding[]
  /** Where each machine is, as far as known: what it redeemed from in its current boot, else its reservation. */
  readonly addresses: ReadonlyMap<string, Ipv4>
  /** True when the founder's current boot has reported anything. */
  readonly holderHasReported: boolean
  /** Boots whose own step succeeded, or is implied by a later one, as `boot step`, of the boots above. */
  readonly succeededSteps: ReadonlySet<string>
}

export const RAFT_SERVICES: readonly RaftService[] = ['chainfire', 'flaredb']

/** The step in which a machine joins a Raft service. */
export function joinStepOf(service: RaftService): GatedStep {
  return `${service}-cluster-join`
}

export function attemptOf(picture: ClusterPicture, bootId: string | undefined): BootAttempt | undefined {
  return bootId === undefined ? undefined : picture.attempts.find((attempt) => attempt.bootId === bootId)
}

export function machineOf(picture: ClusterPicture, machineId: string | undefined): Machine | undefined {
  return machineId === undefined ? undefined : picture.machines.find((machine) => machine.id === machineId)
}

export function slotOf(picture: ClusterPicture, step: GatedStep): JoinSlot {
  const slot = picture.slots.find((candidate) => candidate.step === step)
  if (slot === undefined) throw new Error(`the picture lacks the slot of ${step}`)
  return slot
}

/** When a slot's holder was last heard: at its gate, or in any report of its boot. */
export function slotHeardAtMs(picture: ClusterPicture, slot: JoinSlot): number {
  return Math.max(slot.heardAtMs ?? 0, attemptOf(picture, slot.bootId)?.heardAtMs ?? 0)
}
