import type { RaftService } from '../../model/cluster.ts'
import { isControlPlane } from '../../model/machine.ts'
import { knownLeader } from '../cluster/leaders.ts'
import { olderMemberIn } from '../cluster/membership.ts'
import type { GateSnapshot } from './gate-snapshot.ts'
import { type Passage, shut } from './passage.ts'

/** A clock further off than this keeps a Raft join gate shut, where the cluster sets no limit of its own. */
const CLOCK_SKEW_LIMIT_MS = 30_000

/** Fresh data: it joins whoever leads now. Voters change the membership and take the slot; workers only follow. */
export function joinPassage(snapshot: GateSnapshot, service: RaftService): Passage {
  const { cluster, machine, attempt, nowMs } = snapshot
  const limitMs = cluster.settings.clockSkewLimitMs ?? CLOCK_SKEW_LIMIT_MS
  const skewMs = attempt.clockSkewMs ?? 0
  if (Math.abs(skewMs) > limitMs) {
    const off = `${Math.round(skewMs / 1000)} s`
    return shut('clock-skew', `its clock is ${off} off ours, more than ${limitMs / 1000} s: set it (NTP)`)
  }
  const leaderUrl = knownLeader(cluster, service, nowMs)
  const title = service === 'chainfire' ? 'Chainfire' : 'FlareDB'
  const isVoter = isControlPlane(machine.role)
  const older = isVoter ? olderMemberIn(snapshot.members, cluster, service, machine.id, nowMs) : undefined
  // Before the leader: as long as its former self counts as a voter, there may be no quorum to be seen.
  if (older?.kind === 'by-hand') {
    const { memberId } = older.member
    const cure = `remove it from ${title} by hand, then pilotlight cluster member forget ${cluster.name} ${memberId}`
    return shut('remove-by-hand', `${memberId}, its former self, may be a member still: ${cure}`, true)
  }
  if (leaderUrl === undefined) {
    return shut('no-leader', `no ${title} leader with quorum is known just now`, true)
  }
  if (!isVoter) return { kind: 'worker-join', leaderUrl }
  if (older?.kind === 'listed') {
    return shut(
      'old-member-listed',
      `${older.member.memberId}, its former self, is being removed first`,
      true,
    )
  }
  return { kind: 'needs-slot', action: 'join', leaderUrl }
}
