import type { Member } from '../../model/cluster.ts'
import type { GatedStep } from '../../model/first-boot.ts'
import { followEpoch } from '../cluster/follow-epoch.ts'
import { heardAgain } from '../cluster/founding.ts'
import { takenOut } from '../cluster/membership.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { dataLost, rowsWithoutData } from './data-proof.ts'
import { passageThrough } from './gate-conditions.ts'
import type { GateReply, GateRequest, GateSnapshot } from './gate-snapshot.ts'
import type { Passage } from './passage.ts'
import { nextInQueue } from './queue-order.ts'
import { grantSlot, holdsSlot } from './slot-grant.ts'
import { stalenessOf } from './staleness.ts'
import { workerPass } from './worker-pass.ts'

/** May this boot run this step now? One machine at a time where membership changes (founding.md §3, S1 to S3). */
export function decideGate(asked: GateSnapshot, request: GateRequest): Decision<GateReply> {
  const { machine, attempt, cluster, nowMs } = asked
  const stale = stalenessOf(machine, attempt, cluster, asked.configuredFor)
  if (stale !== undefined) return { reply: { kind: 'stale', reason: stale }, reason: stale, effects: [] }

  const heard: Effect[] = [
    { kind: 'heard-from', bootId: attempt.bootId, atMs: nowMs },
    ...heardAgain(cluster, machine.id, attempt.bootId),
  ]
  const skewMs = request.clockMs === undefined ? undefined : request.clockMs - nowMs
  if (skewMs !== undefined) heard.push({ kind: 'note-clock', bootId: attempt.bootId, skewMs, atMs: nowMs })

  const isDone = asked.steps.some((record) => record.step === request.step && record.state === 'succeeded')
  const gone = isDone ? [] : rowsWithoutData(asked, request)
  heard.push(...dataLost(asked, gone))
  const snapshot: GateSnapshot = {
    ...asked,
    attempt: skewMs === undefined ? attempt : { ...attempt, clockSkewMs: skewMs },
    members: asked.members.map((row) => (gone.includes(row) ? { ...row, state: 'lost' } : row)),
    slot:
      asked.slot.state === 'held' && gone.some((row) => row.memberId === asked.slot.memberId)
        ? { ...asked.slot, state: 'suspect' }
        : asked.slot,
  }
  const passage = passageThrough(snapshot, request)
  switch (passage.kind) {
    case 'shut': {
      const queued = passage.queues
        ? queueUp(snapshot, request.step)
        : leaveQueueWhenHeld(snapshot, request, passage)
      const reply: GateReply = { kind: 'shut', reason: passage.reason, detail: passage.detail }
      return { reply, reason: passage.reason, effects: [...heard, ...queued] }
    }
    case 'free-pass':
      return freePass(snapshot, passage, heard)
    case 'worker-join': {
      const pass = workerPass(snapshot, request.step, passage.leaderUrl)
      if (pass === undefined)
        return inLine(snapshot, request.step, heard, '20 workers are on their way already')
      return { reply: pass.reply, reason: 'join', effects: [...heard, ...pass.effects] }
    }
    case 'needs-slot':
      return throughSlot(snapshot, request, passage, heard)
  }
}

/** What exists comes up, what is done is skipped: no slot, and a resuming boot is bound to its row's epoch. */
function freePass(
  snapshot: GateSnapshot,
  passage: Extract<Passage, { kind: 'free-pass' }>,
  heard: readonly Effect[],
): Decision<GateReply> {
  const { attempt, cluster } = snapshot
  const effects: Effect[] = [...heard]
  if (passage.action === 'resume') {
    if (passage.epoch > cluster.founding.epoch && cluster.founding.state === 'founded')
      effects.push(...followEpoch(snapshot, passage.epoch))
    if (attempt.passEpoch === undefined) {
      effects.push({ kind: 'bind-attempt-epoch', bootId: attempt.bootId, epoch: passage.epoch })
    }
    if (passage.row !== undefined && passage.row.bootId !== attempt.bootId) {
      effects.push({
        kind: 'put-member',
        member: { ...passage.row, bootId: attempt.bootId, address: snapshot.address },
      })
      effects.push(...outBefore(snapshot, passage.row))
    }
  }
  const reply: GateReply = {
    kind: 'open',
    action: passage.action,
    slotNo: 0,
    epoch: passage.epoch,
    memberId: passage.row?.memberId ?? null,
    leaderUrl: cluster.probe.leaderUrl ?? null,
    voter: passage.row?.voter ?? false,
  }
  return { reply, reason: passage.action, effects }
}

/**
 * A member that a restore forgot has an id that was given after its machine's earlier ones, and fresh data is given one only
 * when those are out of the group.
 */
function outBefore({ members }: GateSnapshot, row: Member): Effect[] {
  const own = members.filter(
    (other) =>
      other.service === row.service && other.machineId === row.machineId && other.epoch === row.epoch,
  )
  if (own.some((other) => other.memberId === row.memberId)) return []
  return own
    .filter((other) => other.incarnation < row.incarnation && other.state !== 'removed')
    .map((other): Effect => ({ kind: 'put-member', member: takenOut(other) }))
}

function throughSlot(
  snapshot: GateSnapshot,
  request: GateRequest,
  passage: Extract<Passage, { kind: 'needs-slot' }>,
  heard: readonly Effect[],
): Decision<GateReply> {
  const { slot, machine, attempt } = snapshot
  const isHeld = holdsSlot(snapshot, request)
  // FlareDB's founder that lost its data founds anew: nobody can have joined what was not founded.
  const foundsAnew = passage.action === 'found' && slot.machineId === machine.id && slot.state !== 'server'
  if (slot.state !== 'free' && !isHeld && !foundsAnew) {
    const detail = `${request.step} is another's turn (slot ${slot.slotNo}, ${slot.state})`
    return inLine(snapshot, request.step, heard, detail)
  }
  if (slot.state === 'free' && passage.isItsAlone !== true) {
    const asker = { machine, isHolder: snapshot.cluster.founding.holderBootId === attempt.bootId }
    const queue = passage.action === 'found' ? foundersIn(snapshot) : snapshot.queue
    const first = nextInQueue(queue, asker, snapshot.nowMs)
    if (first !== machine.id) return inLine(snapshot, request.step, heard, 'another machine came first')
  }
  const grant = grantSlot(snapshot, request.step, passage, isHeld)
  return { reply: grant.reply, reason: passage.action, effects: [...heard, ...grant.effects] }
}

/**
 * Of those who wait, the ones that may found FlareDB: a machine whose row of Chainfire a restore forgot came first, and can
 * only join once somebody else has founded it.
 */
function foundersIn({ queue, members, cluster }: GateSnapshot): GateSnapshot['queue'] {
  const { epoch } = cluster.founding
  const isMember = (machineId: string) =>
    members.some(
      (row) =>
        row.service === 'chainfire' &&
        row.machineId === machineId &&
        row.epoch === epoch &&
        row.state === 'member',
    )
  return queue.filter((entry) => entry.isHolder || isMember(entry.machineId))
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

/** A place in the queue ends at a hold. */
function leaveQueueWhenHeld(
  snapshot: GateSnapshot,
  request: GateRequest,
  passage: Extract<Passage, { kind: 'shut' }>,
): Effect[] {
  const { machine, cluster } = snapshot
  const isQueued = snapshot.queue.some((entry) => entry.machineId === machine.id)
  if (passage.reason !== 'held' || !isQueued) return []
  return [{ kind: 'leave-queue', clusterId: cluster.id, step: request.step, machineId: machine.id }]
}
