import type { JoinSlot, RaftService } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import { isControlPlane } from '../../model/machine.ts'
import { readMarker, takenOut } from '../cluster/membership.ts'
import type { Effect } from '../effect.ts'
import type { GateReply, GateRequest, GateSnapshot } from './gate-snapshot.ts'
import { joiningRow, newMemberId } from './joining-row.ts'
import type { Passage } from './passage.ts'
import { raftServiceOf } from './raft-step.ts'

type NeedsSlot = Extract<Passage, { kind: 'needs-slot' }>

/** S3: its holder's own boot, or its machine's new boot that brings the data which the slot was given for. */
export function holdsSlot({ slot, machine, attempt, cluster }: GateSnapshot, request: GateRequest): boolean {
  if (slot.state !== 'held' && slot.state !== 'suspect') return false
  if (slot.machineId !== machine.id || slot.epoch !== cluster.founding.epoch) return false
  if (slot.bootId === attempt.bootId) return true
  const marker = readMarker(request.marker)
  return marker !== undefined && slot.memberId !== undefined && marker.memberId === slot.memberId
}

/**
 * S1 takes the slot: its number grows, a `joining` row and the boot's epoch are written. S3, asked again by its holder,
 * writes only that it was heard, and in which boot. Both answer the same, with the leader of now.
 */
export function grantSlot(
  snapshot: GateSnapshot,
  step: GatedStep,
  passage: NeedsSlot,
  holdsIt: boolean,
): { readonly reply: GateReply; readonly effects: readonly Effect[] } {
  const { cluster, machine, attempt, nowMs } = snapshot
  const { epoch } = cluster.founding
  const service = raftServiceOf(step)
  const memberId = holdsIt
    ? snapshot.slot.memberId
    : service === undefined
      ? undefined
      : (passage.memberId ?? toldBefore(snapshot, passage, service) ?? newMemberId(snapshot, service))
  const slot: JoinSlot = {
    clusterId: cluster.id,
    step,
    state: 'held',
    action: passage.action,
    machineId: machine.id,
    bootId: attempt.bootId,
    epoch,
    slotNo: holdsIt ? snapshot.slot.slotNo : snapshot.slot.slotNo + 1,
    heardAtMs: nowMs,
    failures: holdsIt ? snapshot.slot.failures : 0,
    // Told more than once, so "nothing was sent" is true of its last try only.
    ...(holdsIt ? { noted: 'told-again' } : {}),
    ...(memberId === undefined ? {} : { memberId }),
  }
  const effects: Effect[] = [{ kind: 'put-slot', slot }]
  if (attempt.passEpoch === undefined)
    effects.push({ kind: 'bind-attempt-epoch', bootId: attempt.bootId, epoch })
  if (holdsIt) {
    const row = snapshot.members.find(
      (member) =>
        member.service === service && member.memberId === memberId && member.bootId !== attempt.bootId,
    )
    if (row !== undefined) {
      effects.push({
        kind: 'put-member',
        member: { ...row, bootId: attempt.bootId, address: snapshot.address },
      })
    }
  } else {
    effects.push({ kind: 'leave-queue', clusterId: cluster.id, step, machineId: machine.id })
    if (passage.action === 'found' && service !== undefined) effects.push(...neverFounded(snapshot, service))
    if (service !== undefined && memberId !== undefined) {
      effects.push({ kind: 'put-member', member: joiningRow(snapshot, service, memberId) })
    }
    effects.push(...serviceFoundingGranted(snapshot, step, passage, slot.slotNo))
    effects.push(grantedEvent(snapshot, step, passage, slot.slotNo))
  }
  const reply: GateReply = {
    kind: 'open',
    action: passage.action,
    slotNo: slot.slotNo,
    epoch,
    memberId: memberId ?? null,
    leaderUrl: passage.leaderUrl ?? null,
    voter: service !== undefined && isControlPlane(machine.role),
    ...(passage.action === 'setup' ? { secret: adminSecret(snapshot) } : {}),
  }
  if (passage.action === 'setup' && snapshot.adminPassword === undefined) {
    effects.push({
      kind: 'put-cluster-secret',
      clusterId: cluster.id,
      name: 'iam-admin-password',
      text: snapshot.freshPassword,
    })
  }
  return { reply, effects }
}

/**
 * A founder that is told again in the same boot, after an operator freed its slot: it may have founded under the id of the
 * first time already, and its word names the slot of that.
 */
function toldBefore(
  { members, attempt, cluster }: GateSnapshot,
  passage: NeedsSlot,
  service: RaftService,
): string | undefined {
  if (passage.action !== 'found') return undefined
  return members.find(
    (row) => row.service === service && row.bootId === attempt.bootId && row.epoch === cluster.founding.epoch,
  )?.memberId
}

/** A group that begins now has no earlier members: what was to be its founding before came to nothing. */
function neverFounded(snapshot: GateSnapshot, service: RaftService): Effect[] {
  return snapshot.members
    .filter(
      (row) =>
        row.service === service &&
        row.epoch === snapshot.cluster.founding.epoch &&
        (row.state === 'lost' || row.state === 'joining'),
    )
    .map((row) => ({ kind: 'put-member', member: takenOut(row) }))
}

function serviceFoundingGranted(
  snapshot: GateSnapshot,
  step: GatedStep,
  passage: NeedsSlot,
  slotNo: number,
): Effect[] {
  const { cluster, machine } = snapshot
  const common = { clusterId: cluster.id, epoch: cluster.founding.epoch, machineId: machine.id, slotNo }
  if (step === 'flaredb-cluster-join' && passage.action === 'found') {
    return [{ kind: 'put-service-founding', row: { ...common, service: 'flaredb', state: 'granted' } }]
  }
  if (step === 'iam-initial-setup') {
    return [{ kind: 'put-service-founding', row: { ...common, service: 'iam', state: 'granted' } }]
  }
  return []
}

function adminSecret(snapshot: GateSnapshot): { admin_user: string; admin_password: string } {
  return { admin_user: 'admin', admin_password: snapshot.adminPassword ?? snapshot.freshPassword }
}

function grantedEvent(snapshot: GateSnapshot, step: GatedStep, passage: NeedsSlot, slotNo: number): Effect {
  const { cluster, machine, attempt, nowMs } = snapshot
  return {
    kind: 'append-event',
    event: {
      atMs: nowMs,
      type: 'gate.opened',
      machineId: machine.id,
      clusterId: cluster.id,
      bootId: attempt.bootId,
      data: {
        name: machine.name,
        step,
        action: passage.action,
        slot_no: slotNo,
        epoch: cluster.founding.epoch,
      },
    },
  }
}
