import type { Cluster, GroupFacts, Probe, RaftService } from '../../model/cluster.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { clusterEvent } from './cluster-event.ts'
import { frozen, thawed } from './founding.ts'
import { type GroupRound, judgeRound } from './judge-round.ts'
import { attemptOf, type ClusterPicture, RAFT_SERVICES } from './picture.ts'
import { reconcile } from './reconcile.ts'
import { flaredbFounded } from './seen-founder.ts'
import { listedMembers } from './take-list.ts'

/** Two leaders are asked again after this long: an old one may not know yet that it is none. */
const ASK_AGAIN_MS = 10_000

/** The answers of one round, for each of the two Raft groups, and what our tables said when it began. */
export interface ProbeRound {
  readonly chainfire: GroupRound
  readonly flaredb: GroupRound
  /** Fingerprint of rows and slots at the beginning (`tablesOf`): what changed since is not judged by old answers. */
  readonly tablesBefore: string
}

/** Rows and slots as text, without when they were heard: two rounds with the same text saw the same tables. */
export function tablesOf(picture: Pick<ClusterPicture, 'cluster' | 'members' | 'slots'>): string {
  const slots = picture.slots.map(
    ({ heardAtMs: _heard, noted: _noted, failures: _failures, ...slot }) => slot,
  )
  return JSON.stringify([picture.cluster.founding, picture.members, slots])
}

/**
 * Takes in a round of answers: what it says of the founding (F6, F11, F15, F18), of suspect slots (S7 to S9) and of
 * members that should be out (S11). A probe grants, founds and moves nothing (invariant 16).
 */
export function decideProbe(picture: ClusterPicture, round: ProbeRound): Decision<Probe> {
  const { cluster, nowMs } = picture
  const groups = {
    chainfire: judgeRound(picture, 'chainfire', round.chainfire),
    flaredb: judgeRound(picture, 'flaredb', round.flaredb),
  }
  const probe = probeAfter(cluster, groups, nowMs)
  const effects: Effect[] = [{ kind: 'put-probe', clusterId: cluster.id, probe }]
  if (probe.result !== cluster.probe.result) {
    effects.push(
      clusterEvent(cluster, nowMs, 'cluster.probe-changed', {
        from: cluster.probe.result ?? null,
        to: probe.result ?? null,
      }),
    )
  }
  for (const service of RAFT_SERVICES) {
    if (groups[service].differs && cluster.probe.groups?.[service]?.differs !== true) {
      effects.push(
        clusterEvent(cluster, nowMs, 'cluster.members-differ', {
          service,
          listed: groups[service].listed?.join(' ') ?? null,
          voters: groups[service].toldVoters ?? null,
        }),
      )
    }
  }
  const isUnchanged = tablesOf(picture) === round.tablesBefore
  if (isUnchanged) effects.push(...foundingAfter(picture, probe, groups))
  // Facts of the round count already: what follows is judged by them.
  const seen = { ...picture, cluster: { ...cluster, probe } }
  const isSettled = cluster.founding.state === 'founded' && !cluster.held
  if (isUnchanged && isSettled) {
    for (const service of RAFT_SERVICES) effects.push(...reconcile(seen, service, groups[service]))
  }
  return { reply: probe, reason: probe.result ?? 'unreachable', effects }
}

function probeAfter(
  cluster: Cluster,
  groups: { readonly [Service in RaftService]: GroupFacts },
  nowMs: number,
): Probe {
  const { chainfire, flaredb } = groups
  const { probe: before } = cluster
  const isTwo = chainfire.result === 'two-leaders'
  const leaderSeenAtMs = chainfire.result === 'leader-quorum' ? nowMs : before.leaderSeenAtMs
  return {
    result: chainfire.result,
    probedAtMs: nowMs,
    groups,
    ...(chainfire.leaderUrl === undefined ? {} : { leaderUrl: chainfire.leaderUrl }),
    ...(flaredb.leaderUrl === undefined ? {} : { flaredbLeaderUrl: flaredb.leaderUrl }),
    ...(leaderSeenAtMs === undefined ? {} : { leaderSeenAtMs }),
    ...(isTwo ? { twoLeadersAtMs: before.twoLeadersAtMs ?? nowMs } : {}),
    ...(before.reported === undefined ? {} : { reported: before.reported }),
  }
}

function foundingAfter(
  picture: ClusterPicture,
  probe: Probe,
  groups: { readonly [Service in RaftService]: GroupFacts },
): Effect[] {
  const { cluster, nowMs } = picture
  const { founding } = cluster
  const { chainfire } = groups
  const since = probe.twoLeadersAtMs
  if (since !== undefined && nowMs - since >= ASK_AGAIN_MS && isFreezable(founding.state)) {
    return [
      { kind: 'put-founding', clusterId: cluster.id, founding: frozen(founding, 'two-leaders') },
      clusterEvent(cluster, nowMs, 'cluster.frozen', {
        by: 'two-leaders',
        cure: `find out which leader is the true one and switch the other off; then pilotlight cluster unfreeze ${cluster.name} --as founded`,
      }),
    ]
  }
  if (chainfire.result !== 'leader-quorum') return []
  switch (founding.state) {
    case 'doubtful':
      return isHolderLeading(picture, chainfire)
        ? [{ kind: 'put-founding', clusterId: cluster.id, founding: { ...founding, state: 'granted' } }]
        : []
    case 'lost':
      return [
        { kind: 'put-founding', clusterId: cluster.id, founding: { ...founding, state: 'founded' } },
        clusterEvent(cluster, nowMs, 'cluster.not-lost', { leader_url: chainfire.leaderUrl ?? null }),
      ]
    case 'frozen':
      return unfrozenByList(picture, groups)
    default:
      return []
  }
}

function isFreezable(state: Cluster['founding']['state']): boolean {
  return state !== 'frozen' && state !== 'closed'
}

/** F6: the leader that answers is the founder's own; a member row it has none yet. */
function isHolderLeading(picture: ClusterPicture, facts: GroupFacts): boolean {
  const { holderMachineId } = picture.cluster.founding
  return holderMachineId !== undefined && facts.healthyMachineIds.includes(holderMachineId)
}

/** F18: a leader with quorum whose members are all ours says what is true. */
function unfrozenByList(
  picture: ClusterPicture,
  groups: { readonly [Service in RaftService]: GroupFacts },
): Effect[] {
  const { cluster, nowMs } = picture
  const { founding } = cluster
  if (founding.frozenBy === 'leader-there' || groups.chainfire.listed === undefined) return []
  if (groups.chainfire.differs) return []
  const epoch = epochOfAll(picture)
  const effects: Effect[] = [
    { kind: 'put-founding', clusterId: cluster.id, founding: thawed(founding, 'founded', epoch, nowMs) },
    ...RAFT_SERVICES.flatMap((service) => listedMembers(picture, service, groups[service], epoch)),
    ...(groups.flaredb.result === 'leader-quorum' ? flaredbFounded(picture, groups.flaredb) : []),
    ...picture.slots
      .filter((slot) => slot.state === 'held')
      .map((slot): Effect => ({ kind: 'put-slot', slot: { ...slot, state: 'suspect', epoch } })),
    clusterEvent(cluster, nowMs, 'cluster.unfrozen', { as: 'founded', by: 'leader', epoch }),
  ]
  return effects
}

/** The largest epoch that anything of the cluster names: our rows, or a boot that resumed by its marker. */
export function epochOfAll(picture: ClusterPicture): number {
  const bound = picture.machines.map((machine) => attemptOf(picture, machine.currentBootId)?.passEpoch ?? 0)
  return Math.max(picture.cluster.founding.epoch, ...bound, ...picture.members.map((row) => row.epoch))
}
