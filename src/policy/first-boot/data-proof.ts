import type { Member } from '../../model/cluster.ts'
import { proves, readMarker } from '../cluster/membership.ts'
import type { Effect } from '../effect.ts'
import type { GateRequest, GateSnapshot } from './gate-snapshot.ts'
import { raftServiceOf } from './raft-step.ts'

/**
 * F9 at the gate: a machine that comes without the data of its own rows has lost them, those on their way in or out too. Rows
 * of this very boot are not judged: their data came after the question.
 */
export function rowsWithoutData(snapshot: GateSnapshot, request: GateRequest): readonly Member[] {
  const { cluster, machine, attempt } = snapshot
  const { state } = cluster.founding
  const service = raftServiceOf(request.step)
  if (service === undefined || (state !== 'founded' && state !== 'lost')) return []
  const marker = readMarker(request.marker)
  if (marker === undefined && request.marker !== '') return []
  return snapshot.members.filter(
    (row) =>
      row.service === service &&
      row.machineId === machine.id &&
      row.epoch === cluster.founding.epoch &&
      row.bootId !== attempt.bootId &&
      row.state !== 'removed' &&
      row.state !== 'lost' &&
      !proves(marker, row, cluster.id),
  )
}

/** What follows from rows without data: they are lost, and a slot that the machine held with them is suspect (S6). */
export function dataLost(snapshot: GateSnapshot, rows: readonly Member[]): Effect[] {
  if (rows.length === 0) return []
  const { slot, machine, attempt, cluster, nowMs } = snapshot
  const effects: Effect[] = rows.map((row) => ({ kind: 'put-member', member: { ...row, state: 'lost' } }))
  if (slot.state === 'held' && rows.some((row) => row.memberId === slot.memberId)) {
    effects.push({ kind: 'put-slot', slot: { ...slot, state: 'suspect' } })
  }
  effects.push({
    kind: 'append-event',
    event: {
      atMs: nowMs,
      type: 'member.data-gone',
      machineId: machine.id,
      clusterId: cluster.id,
      bootId: attempt.bootId,
      data: { name: machine.name, members: rows.map((row) => row.memberId).join(' ') },
    },
  })
  return effects
}
