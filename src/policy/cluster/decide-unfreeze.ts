import type { FreezeCause } from '../../model/cluster.ts'
import { GATED_STEPS } from '../../model/first-boot.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import type { ClusterReply } from './decide-move.ts'
import { epochOfAll } from './decide-probe.ts'
import { frozen, newStart, thawed } from './founding.ts'
import { leaderSeenWithin } from './leaders.ts'
import { type ClusterPicture, slotOf } from './picture.ts'

const LEADER_WITHIN_MS = 30_000
/** A restored database has forgotten at most so many epochs, slots and incarnations. */
const FORGOTTEN_AT_MOST = 1000

/** F19: the operator says what is true of a frozen cluster. */
export function decideUnfreeze(picture: ClusterPicture, as: 'open' | 'founded'): Decision<ClusterReply> {
  const { cluster, nowMs } = picture
  const { founding } = cluster
  const no = (code: string, detail: string, cure: string): Decision<ClusterReply> => ({
    reply: refusal(409, code, detail, cure),
    reason: code,
    effects: [],
  })
  if (founding.state !== 'frozen') {
    return no('not-frozen', `${cluster.name} is ${founding.state}`, 'nothing is to be unfrozen')
  }
  const isFresh =
    cluster.probe.probedAtMs !== undefined && nowMs - cluster.probe.probedAtMs <= LEADER_WITHIN_MS
  if (isFresh && cluster.probe.result === 'two-leaders') {
    return no('two-leaders', 'two members lead at once', 'switch off the one that is wrong, then again')
  }
  if (as === 'open' && leaderSeenWithin(cluster, LEADER_WITHIN_MS, nowMs)) {
    return no(
      'leader-seen',
      `${cluster.probe.leaderUrl ?? 'a member'} leads already`,
      `pilotlight cluster unfreeze ${cluster.name} --as founded; or switch that leader off first`,
    )
  }
  const epoch = as === 'open' ? founding.epoch : epochOfAll(picture)
  const effects: Effect[] = [
    { kind: 'put-founding', clusterId: cluster.id, founding: thawed(founding, as, epoch, nowMs) },
    ...(as === 'open' ? newStart(picture.slots, picture.serviceFoundings, picture.members) : []),
    clusterEvent(cluster, nowMs, 'cluster.unfrozen', {
      as,
      by: 'operator',
      from: founding.frozenFrom ?? null,
    }),
  ]
  return {
    reply: { kind: 'done', clusterId: cluster.id, notes: [`${cluster.name} is ${as} again`] },
    reason: 'F19',
    effects,
  }
}

/**
 * F15: nobody knows any more what is true. After a restore or a take-over numbers go on above all that may have been
 * given out since, every arm and boot token is void, and no machine boots by itself.
 */
export function decideFreeze(
  picture: ClusterPicture,
  by: Exclude<FreezeCause, 'leader-there' | 'bound-boot'>,
): Decision<'frozen' | 'closed'> {
  const { cluster, nowMs } = picture
  const { founding } = cluster
  if (founding.state === 'closed') return { reply: 'closed', reason: 'closed', effects: [] }
  const hasForgotten = by === 'restore' || by === 'take-over'
  const after = founding.state === 'frozen' ? { ...founding, frozenBy: by } : frozen(founding, by)
  const highest = picture.members.reduce(
    (most, row) => Math.max(most, row.incarnation),
    founding.incarnationFloor,
  )
  const effects: Effect[] = [
    {
      kind: 'put-founding',
      clusterId: cluster.id,
      founding: hasForgotten
        ? {
            ...after,
            nextEpoch: after.nextEpoch + FORGOTTEN_AT_MOST,
            incarnationFloor: highest + FORGOTTEN_AT_MOST,
            isRearmPaused: true,
          }
        : after,
    },
    clusterEvent(cluster, nowMs, 'cluster.frozen', {
      by,
      from: after.frozenFrom ?? null,
      cure: `pilotlight cluster unfreeze ${cluster.name} --as open|founded`,
    }),
  ]
  if (hasForgotten) {
    for (const step of GATED_STEPS) {
      const slot = slotOf(picture, step)
      effects.push({ kind: 'put-slot', slot: { ...slot, slotNo: slot.slotNo + FORGOTTEN_AT_MOST } })
    }
    // A boot that had not redeemed may have done so in what is forgotten: it never does again.
    for (const { bootId, status, endedAtMs } of picture.attempts) {
      // Its first report may be forgotten: nobody gets a configuration after it (invariant 7).
      if (status === 'current') effects.push({ kind: 'forget-sealed-config', bootId })
      if (status !== 'tentative' || endedAtMs !== undefined) continue
      effects.push({ kind: 'end-attempt', bootId, end: 'abandoned', atMs: nowMs })
    }
    for (const machine of picture.machines) {
      effects.push(
        { kind: 'revoke-boot-tokens', machineId: machine.id, atMs: nowMs },
        { kind: 'arm-machine', machineId: machine.id, untilMs: undefined },
      )
      if (machine.state === 'armed' || machine.state === 'booting') {
        effects.push({ kind: 'set-machine-state', machineId: machine.id, state: 'enrolled' })
      }
    }
  }
  return { reply: 'frozen', reason: 'F15', effects }
}
