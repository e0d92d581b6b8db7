import type {
  Cluster,
  Founding,
  FreezeCause,
  JoinSlot,
  Member,
  ServiceFounding,
} from '../../model/cluster.ts'
import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { Effect } from '../effect.ts'
import { leaderSeenWithin } from './leaders.ts'

/** A leader seen longer ago than this says nothing about an open cluster. */
const LEADER_THERE_WITHIN_MS = 60_000

/** What a redemption means for the founding of its cluster: one row of the table. */
export type FoundingAtRedeem =
  | { readonly row: 'F1' | 'F4'; readonly outcome: 'bootstrap'; readonly founding: Founding }
  | { readonly row: 'F3' | 'F9' | 'F17'; readonly outcome: 'member' }
  | {
      /** The cluster freezes and nothing is handed out. */
      readonly row: 'F2' | 'F4'
      readonly outcome: 'freeze'
      readonly founding: Founding
    }
  | {
      readonly row: 'F16' | 'F20'
      readonly outcome: 'refused'
      readonly reason: 'cluster-frozen' | 'cluster-closed'
    }

/**
 * The founding lease at a redemption. The first control-plane machine of an open cluster founds it; the holder that
 * comes again before anybody could join founds again under a new epoch; everybody else, and everybody after
 * `founded`, is a member.
 *
 * @param othersBound boots of other machines that are bound to the founder's epoch: the gate lets none pass, so one
 *   that is there all the same means that the tables are not to be trusted.
 */
export function foundingAtRedeem(
  cluster: Cluster,
  machine: Machine,
  bootId: string,
  othersBound: number,
  nowMs: number,
): FoundingAtRedeem {
  const { founding } = cluster
  switch (founding.state) {
    case 'open': {
      const mayFound =
        isControlPlane(machine.role) &&
        (founding.reservedFor === undefined || founding.reservedFor === machine.id)
      if (!mayFound) return { row: 'F3', outcome: 'member' }
      if (leaderSeenWithin(cluster, LEADER_THERE_WITHIN_MS, nowMs)) {
        return { row: 'F2', outcome: 'freeze', founding: frozen(founding, 'leader-there') }
      }
      return { row: 'F1', outcome: 'bootstrap', founding: granted(founding, machine.id, bootId) }
    }
    case 'granted':
    case 'doubtful':
      if (founding.holderMachineId !== machine.id) return { row: 'F3', outcome: 'member' }
      if (othersBound > 0) return { row: 'F4', outcome: 'freeze', founding: frozen(founding, 'bound-boot') }
      return { row: 'F4', outcome: 'bootstrap', founding: granted(founding, machine.id, bootId) }
    case 'founded':
    case 'lost':
      return { row: 'F9', outcome: 'member' }
    case 'frozen':
      return founding.frozenFrom === 'founded' || founding.frozenFrom === 'lost'
        ? { row: 'F17', outcome: 'member' }
        : { row: 'F16', outcome: 'refused', reason: 'cluster-frozen' }
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

/** F8, F12: open again, for one machine only, under an epoch that makes every boot of the old one stale at once. */
export function reopenedFor(founding: Founding, machineId: string): Founding {
  return {
    state: 'open',
    epoch: founding.nextEpoch,
    nextEpoch: founding.nextEpoch + 1,
    reservedFor: machineId,
    incarnationFloor: founding.incarnationFloor,
    isRearmPaused: founding.isRearmPaused,
  }
}

/** F15, F2: what was true is kept beside it; who says what is true now ends it. */
export function frozen(founding: Founding, by: FreezeCause): Founding {
  if (founding.state === 'frozen' || founding.state === 'closed') return founding
  return { ...founding, state: 'frozen', frozenFrom: founding.state, frozenBy: by }
}

/** The lease without what only a frozen one carries. */
export function thawed(
  founding: Founding,
  state: 'open' | 'founded',
  epoch: number,
  nowMs: number,
): Founding {
  const { frozenFrom: _from, frozenBy, holderMachineId, holderBootId, reservedFor, ...rest } = founding
  const hasForgotten = state === 'founded' && (frozenBy === 'restore' || frozenBy === 'take-over')
  return {
    ...rest,
    state,
    epoch,
    nextEpoch: Math.max(founding.nextEpoch, epoch + 1),
    isRearmPaused: false,
    ...(hasForgotten ? { frozenBy } : {}),
    ...(state === 'founded' ? { foundedAtMs: founding.foundedAtMs ?? nowMs } : {}),
    ...(state === 'founded' && holderMachineId !== undefined ? { holderMachineId } : {}),
    ...(state === 'founded' && holderBootId !== undefined ? { holderBootId } : {}),
    ...(state === 'open' && reservedFor !== undefined ? { reservedFor } : {}),
  }
}

/** True while what was founded is known from a restored database only, which may have forgotten members of it. */
export function mayHaveForgotten({ state, frozenBy }: Founding): boolean {
  return (state === 'founded' || state === 'lost') && (frozenBy === 'restore' || frozenBy === 'take-over')
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

/** F6: a founder that was given up for silent and speaks again. */
export function heardAgain(cluster: Cluster, machineId: string, bootId: string): Effect[] {
  const { founding } = cluster
  if (founding.state !== 'doubtful' || !isFounderBoot(founding, machineId, bootId)) return []
  return [{ kind: 'put-founding', clusterId: cluster.id, founding: { ...founding, state: 'granted' } }]
}

/**
 * E1, a new start: the slots are free again (their numbers keep growing), the services count as not founded, and
 * members that were on their way in or out are lost.
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
      .filter((member) => member.state === 'joining' || member.state === 'removing')
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
