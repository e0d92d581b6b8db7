import type { JoinSlot, Member } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import { freshIncarnation, incarnationOf, memberIdOf } from '../cluster/membership.ts'
import type { Effect } from '../effect.ts'
import { type Passage, raftServiceOf } from './gate-conditions.ts'
import type { GateReply, GateSnapshot } from './gate-snapshot.ts'

type NeedsSlot = Extract<Passage, { kind: 'needs-slot' }>

/**
 * S1 takes the slot: its number grows, a `joining` row and the boot's epoch are written. S3, asked again by the boot
 * that holds it, writes only that it was heard. Both answer the same, with the leader of now.
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
      : newMemberId(snapshot)
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
    ...(memberId === undefined ? {} : { memberId }),
  }
  const effects: Effect[] = [{ kind: 'put-slot', slot }]
  if (!holdsIt) {
    effects.push({ kind: 'leave-queue', clusterId: cluster.id, step, machineId: machine.id })
    if (attempt.passEpoch === undefined)
      effects.push({ kind: 'bind-attempt-epoch', bootId: attempt.bootId, epoch })
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
    voter: service !== undefined && machine.role === 'control-plane',
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

/** One member id a boot, the same in both groups: the first gate of the boot chooses it. */
function newMemberId(snapshot: GateSnapshot): string {
  const own = snapshot.members.filter((row) => row.machineId === snapshot.machine.id)
  const thisBoot = own.find((row) => row.bootId === snapshot.attempt.bootId)
  return thisBoot?.memberId ?? memberIdOf(snapshot.machine.name, freshIncarnation(own))
}

function joiningRow(snapshot: GateSnapshot, service: Member['service'], memberId: string): Member {
  const { cluster, machine, attempt } = snapshot
  const incarnation = incarnationOf(memberId)
  if (incarnation === undefined) throw new Error(`${memberId} is no member id of ours`)
  return {
    clusterId: cluster.id,
    service,
    machineId: machine.id,
    incarnation,
    memberId,
    address: snapshot.address,
    voter: machine.role === 'control-plane',
    epoch: cluster.founding.epoch,
    bootId: attempt.bootId,
    state: 'joining',
  }
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
