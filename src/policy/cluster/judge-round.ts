import type { Cluster, GroupFacts, ProbeResult, RaftService } from '../../model/cluster.ts'
import { isControlPlane } from '../../model/machine.ts'
import { servicesApiOf, serviceUrl } from '../../model/services.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import { mayHaveForgotten } from './founding.ts'
import { machineNameOf, rowsInGroup } from './membership.ts'
import type { ClusterPicture } from './picture.ts'
import { majorityOf } from './quorum.ts'

/** What one machine's health endpoint said. */
export interface HealthAnswer {
  readonly machineId: string
  readonly address: Ipv4
  readonly isHealthy: boolean
  /** `leader` or `follower`; undefined when the service is not there or said neither. */
  readonly raft?: 'leader' | 'follower'
  readonly clusterSize?: number
}

export interface ListedMember {
  readonly id: string
  readonly voter: boolean
}

/** What the leader said when it was asked for its members. `not-there`: 404 or 405. */
export type ListAnswer =
  | { readonly kind: 'members'; readonly members: readonly ListedMember[] }
  | { readonly kind: 'not-there' }
  | { readonly kind: 'no-answer' }

/** The answers of one round for one Raft group. */
export interface GroupRound {
  readonly answers: readonly HealthAnswer[]
  readonly list: ListAnswer
}

/**
 * Judges what one round told of a group. *leader-quorum*: exactly one healthy member leads, and the healthy voters are a
 * majority of V; V is what the group tells itself (its list, else its cluster_size), else our rows. Where list and size
 * differ the larger counts, and nothing is freed by such a round.
 */
export function judgeRound(picture: ClusterPicture, service: RaftService, round: GroupRound): GroupFacts {
  const { cluster, nowMs } = picture
  const healthy = round.answers.filter(
    (answer) =>
      answer.isHealthy &&
      answer.raft !== undefined &&
      !isOfOldGroup(picture, service, answer.machineId) &&
      !isPutOut(picture, service, answer.machineId),
  )
  const leaders = healthy.filter((answer) => answer.raft === 'leader')
  const [leader] = leaders
  const list = listKnowledge(cluster, service, round)
  const listed = round.list.kind === 'members' ? round.list.members : undefined
  const learners = listed?.filter((member) => !member.voter).map(({ id }) => id)
  const listedVoters = listed?.filter((member) => member.voter).length
  const size = sizeTold(cluster, service, leader, listed)
  const toldVoters =
    listedVoters === undefined && size === undefined ? undefined : Math.max(listedVoters ?? 0, size ?? 0)
  const strangers = (listed ?? []).some((member) => !isOurs(picture, member.id))
  const differs = strangers || (listedVoters !== undefined && size !== undefined && listedVoters !== size)
  // Who is on the way in may or may not be counted already; a leader that lacked a majority would not say that it leads.
  const founder = founderAtWork(picture, service)
  const rows = rowsInGroup(picture.members, cluster, service).filter(
    (row) => row.voter && row.state !== 'joining' && !(row.state === 'lost' && row.machineId === founder),
  ).length
  const voters = Math.max(1, toldVoters ?? rows)
  const voting = healthy.filter(
    ({ machineId }) => isVoter(picture, machineId) && !isOnlyLearner(picture, service, machineId, learners),
  ).length
  return {
    result: resultOf(round.answers, leaders.length, voting >= majorityOf(voters)),
    atMs: nowMs,
    list,
    differs,
    healthyMachineIds: healthy.map((answer) => answer.machineId),
    ...(leaders.length === 1 && leader !== undefined
      ? { leaderUrl: serviceUrl(servicesApiOf(cluster.settings.servicesApi), service, leader.address) }
      : {}),
    ...(toldVoters === undefined ? {} : { toldVoters }),
    ...(listed === undefined ? {} : { listed: listed.map((member) => member.id) }),
    ...(learners === undefined || learners.length === 0 ? {} : { learners }),
  }
}

function resultOf(answers: readonly HealthAnswer[], leaders: number, hasQuorum: boolean): ProbeResult {
  if (!answers.some((answer) => answer.isHealthy)) return 'unreachable'
  if (leaders > 1) return 'two-leaders'
  return leaders === 1 && hasQuorum ? 'leader-quorum' : 'no-leader'
}

/**
 * The machine that founds FlareDB, while nobody has said that it did: what it was before in this group is in no group, which
 * then never began.
 */
function founderAtWork({ serviceFoundings }: ClusterPicture, service: RaftService): string | undefined {
  const row = serviceFoundings.find((candidate) => candidate.service === service)
  return row?.state === 'granted' ? row.machineId : undefined
}

/** 404 or 405 at the first time means that there is no such call; later it is only no answer. */
function listKnowledge(cluster: Cluster, service: RaftService, round: GroupRound): GroupFacts['list'] {
  const before = cluster.probe.groups?.[service]?.list ?? 'unknown'
  if (round.list.kind === 'members') return 'there'
  if (round.list.kind === 'not-there' && before === 'unknown') return 'absent'
  return before
}

function sizeTold(
  cluster: Cluster,
  service: RaftService,
  leader: HealthAnswer | undefined,
  listed: readonly ListedMember[] | undefined,
): number | undefined {
  if (service !== 'chainfire' || leader?.clusterSize === undefined) return undefined
  if (cluster.settings.clusterSizeCounts !== 'all') return leader.clusterSize
  // It counts those that do not vote too: only beside a list can they be taken off.
  const others = listed?.filter((member) => !member.voter).length
  return others === undefined ? leader.clusterSize : leader.clusterSize - others
}

/**
 * After a refound, a machine whose rows are all of the epoch that was given up still runs its member of that group, until
 * its gate has the data set aside: what it says is no word of this one. Where epochs themselves are in doubt everybody is
 * heard, and so is who leads without ever having had a row.
 */
function isOfOldGroup(picture: ClusterPicture, service: RaftService, machineId: string): boolean {
  const { founding } = picture.cluster
  if (founding.state !== 'founded' || mayHaveForgotten(founding)) return false
  const own = picture.members.filter((row) => row.service === service && row.machineId === machineId)
  return own.length > 0 && own.every((row) => row.epoch < founding.epoch)
}

/**
 * While the machine that an operator named founds FlareDB (`founding move --service flaredb`), another that the move put
 * out may still run its member of the group that was given up: what it says is no word of this one either.
 */
function isPutOut(picture: ClusterPicture, service: RaftService, machineId: string): boolean {
  const { epoch } = picture.cluster.founding
  const founder = founderAtWork(picture, service)
  if (founder === undefined || founder === machineId) return false
  const own = picture.members.filter(
    (row) => row.service === service && row.machineId === machineId && row.epoch === epoch,
  )
  return own.length > 0 && own.every((row) => row.state === 'removed')
}

function isOurs(picture: ClusterPicture, memberId: string): boolean {
  if (picture.members.some((row) => row.memberId === memberId)) return true
  const name = machineNameOf(memberId)
  return picture.machines.some((machine) => machine.name === name)
}

function isVoter(picture: ClusterPicture, machineId: string): boolean {
  return picture.machines.some((machine) => machine.id === machineId && isControlPlane(machine.role))
}

/** A machine that is to vote and has not been promoted: its health is no vote. */
function isOnlyLearner(
  { cluster, members }: ClusterPicture,
  service: RaftService,
  machineId: string,
  learners: readonly string[] = [],
): boolean {
  const own = rowsInGroup(members, cluster, service).filter((row) => row.machineId === machineId)
  return own.length > 0 && own.every((row) => learners.includes(row.memberId))
}
