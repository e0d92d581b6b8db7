import type { GatedStep } from '../../model/first-boot.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Passage, passageThrough } from './gate-conditions.ts'
import type { GateReply, GateRequest, GateSnapshot } from './gate-snapshot.ts'
import { nextInQueue } from './queue-order.ts'
import { grantSlot } from './slot-grant.ts'

/** May this boot run this step now? One machine at a time where membership changes (founding.md §3, S1 to S3). */
export function decideGate(snapshot: GateSnapshot, request: GateRequest): Decision<GateReply> {
  const { machine, attempt, cluster, nowMs } = snapshot
  if (attempt.status !== 'current' || machine.currentBootId !== attempt.bootId) return stale('stale-boot')
  if (attempt.passEpoch !== undefined && attempt.passEpoch !== cluster.founding.epoch)
    return stale('stale-epoch')

  const heard: Effect[] = [{ kind: 'heard-from', bootId: attempt.bootId, atMs: nowMs }]
  if (request.clockMs !== undefined) {
    heard.push({ kind: 'note-clock', bootId: attempt.bootId, skewMs: request.clockMs - nowMs, atMs: nowMs })
  }
  const passage = passageThrough(snapshot, request)
  switch (passage.kind) {
    case 'shut': {
      const queued = passage.queues ? queueUp(snapshot, request.step) : []
      const reply: GateReply = { kind: 'shut', reason: passage.reason, detail: passage.detail }
      return { reply, reason: passage.reason, effects: [...heard, ...queued] }
    }
    case 'free-pass':
      return freePass(snapshot, passage, heard)
    case 'needs-slot':
      return throughSlot(snapshot, request, passage, heard)
  }
}

function freePass(
  snapshot: GateSnapshot,
  passage: Extract<Passage, { kind: 'free-pass' }>,
  heard: readonly Effect[],
): Decision<GateReply> {
  const { attempt, cluster } = snapshot
  const bind: Effect[] =
    attempt.passEpoch === undefined
      ? [{ kind: 'bind-attempt-epoch', bootId: attempt.bootId, epoch: cluster.founding.epoch }]
      : []
  const reply: GateReply = {
    kind: 'open',
    action: passage.action,
    slotNo: 0,
    epoch: cluster.founding.epoch,
    memberId: passage.memberId,
    leaderUrl: passage.leaderUrl ?? null,
    voter: false,
  }
  return { reply, reason: passage.action, effects: [...heard, ...bind] }
}

function throughSlot(
  snapshot: GateSnapshot,
  request: GateRequest,
  passage: Extract<Passage, { kind: 'needs-slot' }>,
  heard: readonly Effect[],
): Decision<GateReply> {
  const { slot, machine, attempt } = snapshot
  const holdsIt = (slot.state === 'held' || slot.state === 'suspect') && slot.bootId === attempt.bootId
  if (slot.state !== 'free' && !holdsIt) {
    return inLine(
      snapshot,
      request.step,
      heard,
      `${request.step} is another machine's turn (slot ${slot.slotNo})`,
    )
  }
  if (!holdsIt) {
    const first = nextInQueue(
      snapshot.queue,
      { machine, attempt, isHolder: isHolder(snapshot) },
      snapshot.nowMs,
    )
    if (first !== machine.id) return inLine(snapshot, request.step, heard, 'another machine came first')
  }
  const grant = grantSlot(snapshot, request.step, passage, holdsIt)
  return { reply: grant.reply, reason: passage.action, effects: [...heard, ...grant.effects] }
}

/** S2: queued once, told its place. */
function inLine(
  snapshot: GateSnapshot,
  step: GatedStep,
  heard: readonly Effect[],
  detail: string,
): Decision<GateReply> {
  const ahead = snapshot.queue.filter((entry) => entry.machineId !== snapshot.machine.id)
  const own = snapshot.queue.find((entry) => entry.machineId === snapshot.machine.id)
  const before = own === undefined ? ahead : ahead.filter((entry) => entry.arrivedSeq < own.arrivedSeq)
  const reply: GateReply = { kind: 'shut', reason: 'waiting-for-slot', place: before.length + 1, detail }
  return { reply, reason: 'waiting-for-slot', effects: [...heard, ...queueUp(snapshot, step)] }
}

function queueUp(snapshot: GateSnapshot, step: GatedStep): Effect[] {
  const { machine, attempt, cluster } = snapshot
  const isQueued = snapshot.queue.some(
    (entry) => entry.machineId === machine.id && entry.bootId === attempt.bootId,
  )
  if (isQueued) return []
  return [
    {
      kind: 'queue-for-slot',
      entry: { clusterId: cluster.id, step, machineId: machine.id, bootId: attempt.bootId },
    },
  ]
}

function isHolder(snapshot: GateSnapshot): boolean {
  return snapshot.cluster.founding.holderMachineId === snapshot.machine.id
}

function stale(reason: 'stale-boot' | 'stale-epoch'): Decision<GateReply> {
  return { reply: { kind: 'stale', reason }, reason, effects: [] }
}
