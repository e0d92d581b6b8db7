import type { Cluster, GroupFacts, RaftService } from '../../model/cluster.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Effect } from '../effect.ts'

/** A probe, or a member's own word, is taken for what is true now for so long. */
const FRESH_MS = 30_000

/**
 * What the last round told of a service, while it is fresh; undefined: nobody asked, or too long ago. A round before the
 * founding heard another group: the old founder's, from whom the founding was moved.
 */
export function freshGroup(cluster: Cluster, service: RaftService, nowMs: number): GroupFacts | undefined {
  const facts = cluster.probe.groups?.[service]
  if (facts === undefined || nowMs - facts.atMs > FRESH_MS) return undefined
  const { state, foundedAtMs } = cluster.founding
  return state === 'founded' && facts.atMs < (foundedAtMs ?? 0) ? undefined : facts
}

/**
 * The base URL of a service's leader as far as it is known now: by a probe that saw it with quorum, or, where the server
 * reaches no member, by the word of a member that leads.
 *
 * @returns undefined when nobody leads as far as we know: nothing may join then.
 */
export function knownLeader(cluster: Cluster, service: RaftService, nowMs: number): string | undefined {
  const facts = freshGroup(cluster, service, nowMs)
  if (facts !== undefined && facts.result !== 'unreachable') {
    return facts.result === 'leader-quorum' ? facts.leaderUrl : undefined
  }
  const reported = cluster.probe.reported?.[service]
  return reported !== undefined && nowMs - reported.atMs <= FRESH_MS ? reported.url : undefined
}

/** True when anybody led at an address of the cluster, with quorum or without, as a probe last saw. */
export function leaderSeenWithin(cluster: Cluster, withinMs: number, nowMs: number): boolean {
  const { probe } = cluster
  if (probe.probedAtMs === undefined || nowMs - probe.probedAtMs > withinMs) return false
  return probe.result === 'two-leaders' || probe.leaderUrl !== undefined
}

/** A member said in a report that it leads its group. */
export function leaderReported(cluster: Cluster, service: RaftService, address: Ipv4, nowMs: number): Effect {
  const url = serviceUrl(servicesApiOf(cluster.settings.servicesApi), service, address)
  return {
    kind: 'put-probe',
    clusterId: cluster.id,
    probe: {
      ...cluster.probe,
      reported: { ...cluster.probe.reported, [service]: { url, atMs: nowMs } },
      ...(service === 'chainfire' ? { leaderSeenAtMs: nowMs } : {}),
    },
  }
}
