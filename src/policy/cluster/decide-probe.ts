import type { Cluster, Member, Probe } from '../../model/cluster.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'

/** What one member's health endpoint said. */
export interface HealthAnswer {
  readonly address: string
  readonly isHealthy: boolean
  /** `leader` or `follower`; undefined when the service is not there or said neither. */
  readonly raft?: string
  readonly clusterSize?: number
}

/** The answers of one round, for each of the two Raft groups. */
export interface ProbeRound {
  readonly chainfire: readonly HealthAnswer[]
  readonly flaredb: readonly HealthAnswer[]
}

export interface ProbeSnapshot extends Moment {
  readonly cluster?: Cluster
  readonly members: readonly Member[]
}

/**
 * Judges a round of health answers. *leader-quorum*: exactly one healthy member leads, and the healthy voters are a
 * majority of the largest membership that anybody tells of. A probe grants, founds and moves nothing (invariant 16).
 */
export function decideProbe(snapshot: ProbeSnapshot, round: ProbeRound): Decision<Probe | undefined> {
  const { cluster, nowMs } = snapshot
  if (cluster === undefined) return { reply: undefined, reason: 'cluster-gone', effects: [] }
  const probe: Probe = { result: judge(snapshot, round), probedAtMs: nowMs, ...leaders(cluster, round) }
  const effects: Effect[] = [{ kind: 'put-probe', clusterId: cluster.id, probe }]
  if (probe.result !== cluster.probe.result) {
    effects.push({
      kind: 'append-event',
      event: {
        atMs: nowMs,
        type: 'cluster.probe-changed',
        clusterId: cluster.id,
        data: { name: cluster.name, from: cluster.probe.result ?? null, to: probe.result ?? null },
      },
    })
  }
  return { reply: probe, reason: probe.result ?? 'unreachable', effects }
}

function judge({ members }: ProbeSnapshot, { chainfire }: ProbeRound): NonNullable<Probe['result']> {
  const healthy = chainfire.filter((answer) => answer.isHealthy)
  if (healthy.length === 0) return 'unreachable'
  const leading = healthy.filter((answer) => answer.raft === 'leader')
  if (leading.length > 1) return 'two-leaders'
  const rows = members.filter((row) => row.service === 'chainfire' && row.voter && row.state === 'member')
  const voters = Math.max(rows.length, 1, ...healthy.map((answer) => answer.clusterSize ?? 0))
  const followers = healthy.filter((answer) => answer.raft === 'leader' || answer.raft === 'follower')
  return leading.length === 1 && followers.length >= Math.floor(voters / 2) + 1
    ? 'leader-quorum'
    : 'no-leader'
}

function leaders(cluster: Cluster, round: ProbeRound): Pick<Probe, 'leaderUrl' | 'flaredbLeaderUrl'> {
  const api = servicesApiOf(cluster.settings.servicesApi)
  const chainfire = round.chainfire.find((answer) => answer.isHealthy && answer.raft === 'leader')
  const flaredb = round.flaredb.find((answer) => answer.isHealthy && answer.raft === 'leader')
  return {
    ...(chainfire === undefined ? {} : { leaderUrl: serviceUrl(api, 'chainfire', chainfire.address) }),
    ...(flaredb === undefined ? {} : { flaredbLeaderUrl: serviceUrl(api, 'flaredb', flaredb.address) }),
  }
}
