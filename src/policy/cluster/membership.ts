import type { Cluster, Member, RaftService } from '../../model/cluster.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'

const LEADER_FRESH_MS = 30_000

/** `node01.3`: the id of one life of a machine's data. */
export function memberIdOf(machineName: string, incarnation: number): string {
  return `${machineName}.${incarnation}`
}

/** The incarnation after every earlier one of this machine, over both Raft groups: fresh data means a fresh member. */
export function freshIncarnation(ownRows: readonly Member[]): number {
  return ownRows.reduce((highest, row) => Math.max(highest, row.incarnation), 0) + 1
}

/** The incarnation inside a member id; undefined when the text is not one of ours. */
export function incarnationOf(memberId: string): number | undefined {
  const match = /\.([1-9]\d{0,8})$/.exec(memberId)
  return match === null ? undefined : Number(match[1])
}

/**
 * The base URL of a service's leader as far as it is known now, at most 30 s old.
 *
 * @returns undefined when nobody leads as far as we know: nothing may join then.
 */
export function knownLeader(
  cluster: Cluster,
  service: RaftService,
  members: readonly Member[],
  nowMs: number,
): string | undefined {
  const { probe } = cluster
  const isFresh = probe.probedAtMs !== undefined && nowMs - probe.probedAtMs <= LEADER_FRESH_MS
  if (!isFresh || probe.result !== 'leader-quorum') return undefined
  if (service === 'chainfire') return probe.leaderUrl
  if (probe.flaredbLeaderUrl !== undefined) return probe.flaredbLeaderUrl
  // Not seen leading yet: its first member is the only one that can be.
  const only = members.filter((row) => row.service === 'flaredb' && row.state === 'member')
  const [first] = only
  if (first === undefined || only.length > 1) return undefined
  return serviceUrl(servicesApiOf(cluster.settings.servicesApi), 'flaredb', first.address)
}
