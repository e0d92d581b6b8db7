import type { GatedStep } from '../../model/first-boot.ts'
import { silenceLimitMs } from '../cluster/decide-tick.ts'
import type { Effect } from '../effect.ts'
import type { GateReply, GateSnapshot } from './gate-snapshot.ts'
import { joiningRow, newMemberId } from './joining-row.ts'
import { GONE_AFTER_MS } from './queue-order.ts'
import { raftServiceOf } from './raft-step.ts'

/** Workers change no quorum, but a service takes only so many newcomers at once. */
const WORKERS_AT_A_TIME = 20

/** Lets a worker through beside the others on their way; undefined: 20 are, or stand before it. */
export function workerPass(
  snapshot: GateSnapshot,
  step: GatedStep,
  leaderUrl: string,
): { readonly reply: GateReply; readonly effects: readonly Effect[] } | undefined {
  const { machine, attempt, cluster, nowMs } = snapshot
  const { epoch } = cluster.founding
  const service = raftServiceOf(step)
  if (service === undefined) throw new Error(`${step} is no join`)
  const own = snapshot.passes.find((pass) => pass.machineId === machine.id && pass.bootId === attempt.bootId)
  const row = snapshot.members.find(
    (member) => member.service === service && member.bootId === attempt.bootId && member.state === 'joining',
  )
  if (own === undefined || row === undefined) {
    const onTheirWay = snapshot.passes.filter(
      (pass) => pass.machineId !== machine.id && nowMs - pass.heardAtMs <= silenceLimitMs(step),
    ).length
    const place = snapshot.queue.find((entry) => entry.machineId === machine.id)?.arrivedSeq
    const before = snapshot.queue.filter(
      (entry) =>
        entry.role === 'worker' &&
        entry.machineId !== machine.id &&
        nowMs - entry.heardAtMs <= GONE_AFTER_MS &&
        (place === undefined || entry.arrivedSeq < place),
    ).length
    if (onTheirWay + before >= WORKERS_AT_A_TIME) return undefined
  }
  const memberId = row?.memberId ?? newMemberId(snapshot, service)
  const reply: GateReply = {
    kind: 'open',
    action: 'join',
    slotNo: 0,
    epoch,
    memberId,
    leaderUrl,
    voter: false,
  }
  if (own !== undefined && row !== undefined) return { reply, effects: [] }
  const effects: Effect[] = [
    { kind: 'leave-queue', clusterId: cluster.id, step, machineId: machine.id },
    {
      kind: 'put-gate-pass',
      clusterId: cluster.id,
      step,
      machineId: machine.id,
      bootId: attempt.bootId,
      atMs: nowMs,
    },
    ...(attempt.passEpoch === undefined
      ? [{ kind: 'bind-attempt-epoch', bootId: attempt.bootId, epoch } as const]
      : []),
    ...(row === undefined
      ? [{ kind: 'put-member', member: joiningRow(snapshot, service, memberId) } as const]
      : []),
  ]
  return { reply, effects }
}
