import type { Member, RaftService } from '../../model/cluster.ts'
import { isControlPlane } from '../../model/machine.ts'
import { rowsInGroup } from './membership.ts'
import { type ClusterPicture, machineOf } from './picture.ts'

/** A member seen healthy longer ago than this counts neither as healthy nor as gone. */
const HEALTHY_WITHIN_MS = 10_000

/** More than half of so many voters. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1
}

/** What the quorum guard counted, for its verdict and its message. */
export interface GuardCount {
  readonly passes: boolean
  /** V: all voters, those joining and those of a suspect slot among them. */
  readonly voters: number
  /** H: other voters seen healthy within 10 s that nothing is about to take down. */
  readonly healthy: number
  /** True where nothing was asked lately: nobody knows, so the guard refuses. */
  readonly isBlind: boolean
}

/**
 * The quorum guard of founding.md §4: may this machine's voter of a service be taken out, or down?
 *
 * `up`: it is removed while it still runs, so both the removal's own vote and the group after it need a majority.
 * `down`: it is down or goes down, and a majority of all must stay without it.
 */
export function quorumGuard(
  picture: ClusterPicture,
  service: RaftService,
  machineId: string,
  target: 'up' | 'down',
): GuardCount {
  const { cluster, nowMs } = picture
  const rows = rowsInGroup(picture.members, cluster, service).filter((row) => row.voter)
  const facts = cluster.probe.groups?.[service]
  const voters = Math.max(rows.length, facts?.toldVoters ?? 0)
  const isBlind = facts === undefined || nowMs - facts.atMs > HEALTHY_WITHIN_MS
  const seen = isBlind ? [] : facts.healthyMachineIds
  const healthy = new Set(
    rows
      .filter((row) => row.machineId !== machineId && staysUp(picture, row, seen))
      .map((row) => row.machineId),
  ).size
  const passes =
    target === 'up'
      ? healthy + 1 >= majorityOf(voters) && healthy >= majorityOf(voters - 1)
      : healthy >= majorityOf(voters)
  return { passes, voters, healthy, isBlind }
}

function staysUp(picture: ClusterPicture, row: Member, seen: readonly string[]): boolean {
  if (row.state !== 'member' || !seen.includes(row.machineId)) return false
  const machine = machineOf(picture, row.machineId)
  if (machine === undefined || !isControlPlane(machine.role)) return false
  // Armed, booting or held: it was told to go down, or may not come back by itself.
  return machine.state !== 'armed' && machine.state !== 'booting' && machine.state !== 'held'
}
