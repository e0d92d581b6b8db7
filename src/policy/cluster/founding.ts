import type { Cluster, Founding, JoinSlot, Member, ServiceFounding } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Effect } from '../effect.ts'

/** What a redemption means for the founding of its cluster: one row of the table. */
export type FoundingAtRedeem =
  | { readonly row: 'F1' | 'F4'; readonly outcome: 'bootstrap'; readonly founding: Founding }
  | { readonly row: 'F3' | 'F9'; readonly outcome: 'member' }
  | {
      readonly row: 'F16' | 'F20'
      readonly outcome: 'refused'
      readonly reason: 'cluster-frozen' | 'cluster-closed'
    }

/**
 * The founding lease at a redemption. The first control-plane machine of an open cluster founds it; the holder that
 * comes again before anybody could join founds again under a new epoch; everybody else, and everybody after
 * `founded`, is a member.
 */
export function foundingAtRedeem(cluster: Cluster, machine: Machine, bootId: string): FoundingAtRedeem {
  const { founding } = cluster
  switch (founding.state) {
    case 'open': {
      const mayFound =
        machine.role === 'control-plane' &&
        (founding.reservedFor === undefined || founding.reservedFor === machine.id)
      return mayFound
        ? { row: 'F1', outcome: 'bootstrap', founding: granted(founding, machine.id, bootId) }
        : { row: 'F3', outcome: 'member' }
    }
    case 'granted':
    case 'doubtful':
      // Before `founded` the Chainfire gate lets nobody else pass, so nobody is bound to the epoch that ends here.
      return founding.holderMachineId === machine.id
        ? { row: 'F4', outcome: 'bootstrap', founding: granted(founding, machine.id, bootId) }
        : { row: 'F3', outcome: 'member' }
    case 'founded':
    case 'lost':
      return { row: 'F9', outcome: 'member' }
    case 'frozen':
      return { row: 'F16', outcome: 'refused', reason: 'cluster-frozen' }
    case 'closed':
      return { row: 'F20', outcome: 'refused', reason: 'cluster-closed' }
  }
}

function granted(founding: Founding, machineId: string, bootId: string): Founding {
  const { reservedFor: _reserved, ...rest } = founding
  return {
    ...rest,
    state: 'granted',
    epoch: founding.nextEpoch,
    nextEpoch: founding.nextEpoch + 1,
    holderMachineId: machineId,
    holderBootId: bootId,
  }
}

/** F5: the holder's first step succeeded in the current epoch, and the cluster is founded for ever. */
export function founded(founding: Founding, nowMs: number): Founding {
  return { ...founding, state: 'founded', foundedAtMs: nowMs }
}

/** True when this boot is the one that founds, now. */
export function isFounderBoot(founding: Founding, machineId: string, bootId: string): boolean {
  return (
    (founding.state === 'granted' || founding.state === 'doubtful') &&
    founding.holderMachineId === machineId &&
    founding.holderBootId === bootId
  )
}

/**
 * E1, a new start: the slots are free again (their numbers keep growing), the services count as not founded, and
 * members that were on their way in are lost.
 */
export function newStart(
  slots: readonly JoinSlot[],
  services: readonly ServiceFounding[],
  members: readonly Member[],
): Effect[] {
  return [
    ...slots
      .filter((slot) => slot.state !== 'free')
      .map((slot): Effect => ({ kind: 'put-slot', slot: freed(slot) })),
    ...services.map((row): Effect => ({ kind: 'put-service-founding', row: notFounded(row) })),
    ...members
      .filter((member) => member.state === 'joining')
      .map((member): Effect => ({ kind: 'put-member', member: { ...member, state: 'lost' } })),
  ]
}

/** The slot with nobody in it; its number stays, and the next grant takes the one after it. */
export function freed(slot: JoinSlot): JoinSlot {
  return { clusterId: slot.clusterId, step: slot.step, state: 'free', slotNo: slot.slotNo, failures: 0 }
}

function notFounded(row: ServiceFounding): ServiceFounding {
  return { clusterId: row.clusterId, service: row.service, state: 'none', epoch: row.epoch }
}
