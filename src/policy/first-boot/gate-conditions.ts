import type { Member, RaftService } from '../../model/cluster.ts'
import { FIRST_BOOT_STEPS, type GateAction, type GatedStep } from '../../model/first-boot.ts'
import { isFounderBoot } from '../cluster/founding.ts'
import { knownLeader } from '../cluster/membership.ts'
import type { GateRequest, GateSnapshot } from './gate-snapshot.ts'

/** A founder silent for longer than this is not waited for when FlareDB is founded. */
const HOLDER_HEARD_WITHIN_MS = 90_000

/** What stands between a boot and its step: a shut gate with the reason, a pass for all, or one that takes the slot. */
export type Passage =
  | { readonly kind: 'shut'; readonly reason: string; readonly detail: string; readonly queues: boolean }
  | {
      readonly kind: 'free-pass'
      readonly action: 'resume' | 'join' | 'skip'
      readonly memberId: string | null
      readonly leaderUrl?: string
    }
  | {
      readonly kind: 'needs-slot'
      readonly action: Exclude<GateAction, 'resume' | 'skip'>
      readonly leaderUrl?: string
    }

/** The conditions of founding.md §3, those of every step first. */
export function passageThrough(snapshot: GateSnapshot, request: GateRequest): Passage {
  const { cluster, machine } = snapshot
  if (cluster.held) return shut('held', 'an operator holds the cluster')
  if (machine.state === 'held') return shut('held', 'an operator holds this machine')
  const { state } = cluster.founding
  if (state === 'lost' || state === 'frozen' || state === 'closed') {
    return shut(`cluster-${state}`, `the cluster is ${state}; an operator must decide`)
  }
  const earlier = FIRST_BOOT_STEPS.slice(0, FIRST_BOOT_STEPS.indexOf(request.step))
  const missing = earlier.find((step) => !hasSucceeded(snapshot, step))
  if (missing !== undefined) return shut('earlier-step', `${missing} has not succeeded in this boot`)
  switch (request.step) {
    case 'chainfire-cluster-join':
      return chainfirePassage(snapshot, request)
    case 'flaredb-cluster-join':
      return flaredbPassage(snapshot, request)
    case 'iam-initial-setup':
      return iamPassage(snapshot)
  }
}

function chainfirePassage(snapshot: GateSnapshot, request: GateRequest): Passage {
  const { cluster, machine, attempt } = snapshot
  if (isFounderBoot(cluster.founding, machine.id, attempt.bootId))
    return { kind: 'needs-slot', action: 'found' }
  if (cluster.founding.state !== 'founded') {
    return shut(
      'not-founded',
      'the cluster is not founded yet: the first control-plane machine is at work',
      true,
    )
  }
  const own = resumable(snapshot, 'chainfire', request.marker)
  if (own !== undefined) return { kind: 'free-pass', action: 'resume', memberId: own.memberId }
  const leaderUrl = knownLeader(cluster, 'chainfire', snapshot.members, snapshot.nowMs)
  if (leaderUrl === undefined)
    return shut('no-leader', 'no Chainfire leader with quorum is known just now', true)
  return joinAs(snapshot, leaderUrl)
}

function flaredbPassage(snapshot: GateSnapshot, request: GateRequest): Passage {
  const { cluster, machine, nowMs } = snapshot
  if (knownLeader(cluster, 'chainfire', snapshot.members, nowMs) === undefined) {
    return shut('no-leader', 'no Chainfire leader with quorum is known just now', true)
  }
  const founding = snapshot.serviceFoundings.find((row) => row.service === 'flaredb')
  switch (founding?.state ?? 'none') {
    case 'none': {
      const holder = cluster.founding.holderMachineId
      const isHeard =
        snapshot.holderHeardAtMs !== undefined && nowMs - snapshot.holderHeardAtMs <= HOLDER_HEARD_WITHIN_MS
      if (holder === machine.id || !isHeard) return { kind: 'needs-slot', action: 'found' }
      return shut('not-founded', 'FlareDB is not founded yet: the founder of the cluster does it', true)
    }
    case 'granted':
      return founding?.machineId === machine.id
        ? { kind: 'needs-slot', action: 'found' }
        : shut('not-founded', 'FlareDB is being founded by another machine', true)
    case 'done': {
      const own = resumable(snapshot, 'flaredb', request.marker)
      if (own !== undefined) return { kind: 'free-pass', action: 'resume', memberId: own.memberId }
      const leaderUrl = knownLeader(cluster, 'flaredb', snapshot.members, nowMs)
      if (leaderUrl === undefined) return shut('no-leader', 'no FlareDB leader is known just now', true)
      return joinAs(snapshot, leaderUrl)
    }
  }
}

function iamPassage(snapshot: GateSnapshot): Passage {
  const { serviceFoundings } = snapshot
  const flaredb = serviceFoundings.find((row) => row.service === 'flaredb')
  if (flaredb?.state !== 'done') return shut('not-founded', 'FlareDB is not founded yet', true)
  const iam = serviceFoundings.find((row) => row.service === 'iam')
  if (iam?.state === 'done') return { kind: 'free-pass', action: 'skip', memberId: null }
  return { kind: 'needs-slot', action: 'setup' }
}

/** Voters change the membership and take the slot; workers only follow. */
function joinAs(snapshot: GateSnapshot, leaderUrl: string): Passage {
  if (snapshot.machine.role === 'control-plane') return { kind: 'needs-slot', action: 'join', leaderUrl }
  return { kind: 'free-pass', action: 'join', memberId: null, leaderUrl }
}

/** The member row that the marker proves: this machine's, of this cluster and epoch, in state member. */
function resumable(snapshot: GateSnapshot, service: RaftService, marker: string): Member | undefined {
  const { cluster, machine } = snapshot
  return snapshot.members.find(
    (row) =>
      row.service === service &&
      row.machineId === machine.id &&
      row.state === 'member' &&
      marker === `${cluster.id}:${row.epoch}:${row.memberId}` &&
      row.epoch === cluster.founding.epoch,
  )
}

function hasSucceeded(snapshot: GateSnapshot, step: string): boolean {
  return snapshot.steps.some((record) => record.step === step && record.state === 'succeeded')
}

function shut(reason: string, detail: string, queues = false): Passage {
  return { kind: 'shut', reason, detail, queues }
}

/** The Raft service of a step; undefined for IAM, which joins nothing. */
export function raftServiceOf(step: GatedStep): RaftService | undefined {
  switch (step) {
    case 'chainfire-cluster-join':
      return 'chainfire'
    case 'flaredb-cluster-join':
      return 'flaredb'
    case 'iam-initial-setup':
      return undefined
  }
}
