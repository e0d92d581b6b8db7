import type { FleetHold } from '../../model/cluster.ts'
import type { FirstBootStep } from '../../model/first-boot.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import type { ClusterReply } from './decide-move.ts'
import type { ClusterPicture } from './picture.ts'

/** F13 for a cluster: at once (unredeemed tokens are void, gates answer `held`), or from one step on. */
export function decideClusterHold(picture: ClusterPicture, step?: FirstBootStep): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const { founding: _founding, probe: _probe, holdStep: _before, ...rest } = cluster
  const effects: Effect[] = [
    {
      kind: 'put-cluster',
      cluster: { ...rest, held: true, ...(step === undefined ? {} : { holdStep: step }) },
    },
    ...(step === undefined ? revoked(picture.machines, nowMs) : []),
    clusterEvent(cluster, nowMs, 'cluster.held', { step: step ?? null }),
  ]
  const notes = [step === undefined ? `${cluster.name} is held` : `${cluster.name} stops before ${step}`]
  return { reply: { kind: 'done', clusterId: cluster.id, notes }, reason: 'F13', effects }
}

export function decideClusterRelease({ cluster, nowMs }: ClusterPicture): Decision<ClusterReply> {
  if (!cluster.held) {
    const wrong = refusal(409, 'not-held', `${cluster.name} is not held`, 'nothing to release')
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  const { founding: _founding, probe: _probe, holdStep: _before, ...rest } = cluster
  return {
    reply: { kind: 'done', clusterId: cluster.id, notes: [`${cluster.name} goes on`] },
    reason: 'F13',
    effects: [
      { kind: 'put-cluster', cluster: { ...rest, held: false } },
      clusterEvent(cluster, nowMs, 'cluster.released'),
    ],
  }
}

export interface FleetSnapshot extends Moment {
  readonly hold?: FleetHold
  readonly machines: readonly Machine[]
}

export type FleetReply =
  | { readonly kind: 'done'; readonly held: boolean; readonly step: string | null }
  | Refusal

/** F13 for every machine there is. */
export function decideFleetHold(snapshot: FleetSnapshot, step?: FirstBootStep): Decision<FleetReply> {
  const { nowMs } = snapshot
  return {
    reply: { kind: 'done', held: true, step: step ?? null },
    reason: 'F13',
    effects: [
      { kind: 'put-fleet-hold', hold: step === undefined ? {} : { step } },
      ...(step === undefined ? revoked(snapshot.machines, nowMs) : []),
      { kind: 'append-event', event: { atMs: nowMs, type: 'fleet.held', data: { step: step ?? null } } },
    ],
  }
}

export function decideFleetRelease({ hold, nowMs }: FleetSnapshot): Decision<FleetReply> {
  if (hold === undefined) {
    const wrong = refusal(409, 'not-held', 'the fleet is not held', 'nothing to release')
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  return {
    reply: { kind: 'done', held: false, step: null },
    reason: 'F13',
    effects: [
      { kind: 'put-fleet-hold', hold: undefined },
      { kind: 'append-event', event: { atMs: nowMs, type: 'fleet.released', data: {} } },
    ],
  }
}

/** A token that nobody redeemed is void; its machine, still armed, gets another when it asks after the hold. */
function revoked(machines: readonly Machine[], atMs: number): Effect[] {
  return machines.map((machine) => ({ kind: 'revoke-boot-tokens', machineId: machine.id, atMs }))
}
