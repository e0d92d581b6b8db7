import type { JoinSlot, Member, RaftService } from '../../model/cluster.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { clusterEvent } from './cluster-event.ts'
import { freed } from './founding.ts'
import { hasRemoveCall, takenOut } from './membership.ts'
import { type ClusterPicture, joinStepOf, machineOf, slotOf } from './picture.ts'
import { type GuardCount, quorumGuard } from './quorum.ts'

/** After so many failures of one removal an event calls for a person. */
const TELL_AFTER_FAILURES = 3
const FIRST_WAIT_MS = 5_000
const LONGEST_WAIT_MS = 120_000

export type BegunRemoval =
  | { readonly kind: 'begun'; readonly effects: readonly Effect[] }
  | {
      readonly kind: 'refused'
      readonly why: 'change-in-flight' | 'quorum' | 'by-hand'
      readonly guard?: GuardCount
    }

/**
 * S11: the row is `removing` and the slot the server's, on disk, before anything is asked of the leader. A member that
 * holds the slot itself as a suspect joiner is removed out of it. One that the list of this round calls a learner takes no
 * vote with it.
 */
export function beginRemoval(
  picture: ClusterPicture,
  service: RaftService,
  row: Member,
  target: 'up' | 'down',
  { isForced = false, isLearner = false }: { readonly isForced?: boolean; readonly isLearner?: boolean } = {},
): BegunRemoval {
  const { cluster, nowMs } = picture
  if (!hasRemoveCall(cluster, service)) return { kind: 'refused', why: 'by-hand' }
  const slot = slotOf(picture, joinStepOf(service))
  const isOwnSuspect = slot.state === 'suspect' && slot.memberId === row.memberId
  if (slot.state !== 'free' && !isOwnSuspect) return { kind: 'refused', why: 'change-in-flight' }
  const guard = row.voter && !isLearner ? quorumGuard(picture, service, row.machineId, target) : undefined
  if (guard !== undefined && !guard.passes && !isForced) return { kind: 'refused', why: 'quorum', guard }
  const taken: JoinSlot = {
    clusterId: cluster.id,
    step: slot.step,
    state: 'server',
    machineId: row.machineId,
    memberId: row.memberId,
    epoch: cluster.founding.epoch,
    slotNo: slot.slotNo + 1,
    heardAtMs: nowMs,
    failures: 0,
  }
  return {
    kind: 'begun',
    effects: [
      { kind: 'put-member', member: { ...row, state: 'removing', epoch: cluster.founding.epoch } },
      { kind: 'put-slot', slot: taken },
      clusterEvent(
        cluster,
        nowMs,
        'cluster.removal-begun',
        { service, member_id: row.memberId, forced: isForced && guard?.passes === false },
        machineOf(picture, row.machineId),
      ),
    ],
  }
}

/** What came of the call that removes a member. `gone`: 200, 204 or 404. */
export type RemovalResult =
  | { readonly kind: 'gone'; readonly listedStill: boolean | undefined }
  | { readonly kind: 'failed'; readonly detail: string }

/** A removal in flight: which member of which service, and the slot number that it has. */
export interface RemovalInFlight {
  readonly service: RaftService
  readonly memberId: string
  readonly slotNo: number
}

/**
 * S12: the call's result, a unit of its own. It counts when the list agrees, or where there is no list; otherwise the
 * server keeps the slot and asks again, later each time.
 */
export function decideRemovalResult(
  picture: ClusterPicture,
  removal: RemovalInFlight,
  result: RemovalResult,
): Decision<'removed' | 'again' | 'superseded'> {
  const { cluster, nowMs } = picture
  const slot = slotOf(picture, joinStepOf(removal.service))
  if (slot.state !== 'server' || slot.slotNo !== removal.slotNo || slot.memberId !== removal.memberId) {
    return { reply: 'superseded', reason: 'another-removal', effects: [] }
  }
  const row = picture.members.find(
    (candidate) => candidate.service === removal.service && candidate.memberId === removal.memberId,
  )
  const machine = machineOf(picture, slot.machineId)
  const facts = { service: removal.service, member_id: removal.memberId }
  if (result.kind === 'gone' && result.listedStill !== true) {
    return {
      reply: 'removed',
      reason: 'removed',
      effects: [
        { kind: 'put-slot', slot: freed(slot) },
        ...(row === undefined ? [] : [{ kind: 'put-member', member: takenOut(row) } as const]),
        clusterEvent(cluster, nowMs, 'cluster.member-removed', facts, machine),
      ],
    }
  }
  const failures = slot.failures + 1
  const detail = result.kind === 'failed' ? result.detail.slice(0, 200) : 'the list names it still'
  const effects: Effect[] = [{ kind: 'put-slot', slot: { ...slot, failures, heardAtMs: nowMs } }]
  if (failures === TELL_AFTER_FAILURES) {
    const cure = `remove it by hand, then pilotlight cluster member forget ${cluster.name} ${removal.memberId}`
    effects.push(clusterEvent(cluster, nowMs, 'cluster.removal-fails', { ...facts, detail, cure }, machine))
  }
  return { reply: 'again', reason: 'removal-failed', effects }
}

/** When a removal that failed is tried again, ms since 1970. */
export function nextTryAtMs(slot: JoinSlot): number {
  if (slot.failures === 0) return 0
  return (slot.heardAtMs ?? 0) + Math.min(FIRST_WAIT_MS * 2 ** (slot.failures - 1), LONGEST_WAIT_MS)
}
