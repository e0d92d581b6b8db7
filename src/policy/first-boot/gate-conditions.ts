import { FIRST_BOOT_STEPS } from '../../model/first-boot.ts'
import { isControlPlane } from '../../model/machine.ts'
import { servicesOf } from '../../model/services.ts'
import { isFounderBoot, mayHaveForgotten } from '../cluster/founding.ts'
import { freshGroup, knownLeader } from '../cluster/leaders.ts'
import { isFromBeforeRestore, machineNameOf, proves, readMarker, rowsInGroup } from '../cluster/membership.ts'
import { isOwnData, ownRows, resumeOrAside } from './data-passage.ts'
import type { GateRequest, GateSnapshot } from './gate-snapshot.ts'
import { heldBefore } from './holds.ts'
import { joinPassage } from './join-passage.ts'
import { type Passage, shut } from './passage.ts'
import { raftServiceOf } from './raft-step.ts'

/** A founder silent for longer than this is not waited for when FlareDB is founded. */
const HOLDER_HEARD_WITHIN_MS = 90_000

/** The conditions of founding.md §3, those of every step first. */
export function passageThrough(snapshot: GateSnapshot, request: GateRequest): Passage {
  const { cluster, machine } = snapshot
  const held = heldBefore(request.step, machine, cluster, snapshot.fleetHold)
  if (held !== undefined) return shut('held', held)
  const { state, epoch } = cluster.founding
  if (state === 'lost' || state === 'closed') {
    return shut(`cluster-${state}`, `the cluster is ${state}; an operator must decide`)
  }
  const earlier = FIRST_BOOT_STEPS.slice(0, FIRST_BOOT_STEPS.indexOf(request.step))
  const missing = earlier.find((step) => !hasSucceeded(snapshot, step))
  if (missing !== undefined) return shut('earlier-step', `${missing} has not succeeded in this boot`)
  // Asked again, by a repeat on the wire or a script that ran twice: the step is done and grants nothing more.
  if (hasSucceeded(snapshot, request.step)) return { kind: 'free-pass', action: 'skip', epoch }
  if (state === 'frozen') return frozenPassage(snapshot, request)
  switch (request.step) {
    case 'chainfire-cluster-join':
      return chainfirePassage(snapshot, request)
    case 'flaredb-cluster-join':
      return flaredbPassage(snapshot, request)
    case 'iam-initial-setup':
      return iamPassage(snapshot)
  }
}

/** F17: only what exists comes up again; the marker says in which epoch. */
function frozenPassage(snapshot: GateSnapshot, request: GateRequest): Passage {
  const { cluster } = snapshot
  const isShut = shut('cluster-frozen', 'the cluster is frozen; an operator must decide')
  if (cluster.founding.frozenFrom !== 'founded' && cluster.founding.frozenFrom !== 'lost') return isShut
  const service = raftServiceOf(request.step)
  if (service === undefined)
    return isIamDone(snapshot) ? { kind: 'free-pass', action: 'skip', epoch: cluster.founding.epoch } : isShut
  const marker = readMarker(request.marker)
  if (marker === undefined || !isOwnData(snapshot, service, marker)) return isShut
  if (marker.epoch < cluster.founding.epoch) return isShut
  const row = ownRows(snapshot, service).find((candidate) => proves(marker, candidate, cluster.id))
  return { kind: 'free-pass', action: 'resume', epoch: marker.epoch, ...(row === undefined ? {} : { row }) }
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
  return resumeOrAside(snapshot, 'chainfire', request) ?? joinPassage(snapshot, 'chainfire')
}

function flaredbPassage(snapshot: GateSnapshot, request: GateRequest): Passage {
  const { cluster, machine, nowMs } = snapshot
  if (cluster.founding.state !== 'founded') {
    return shut('not-founded', 'the cluster is not founded yet', true)
  }
  const own = resumeOrAside(snapshot, 'flaredb', request)
  if (own !== undefined && (own.kind !== 'needs-slot' || own.action !== 'found')) return own
  if (knownLeader(cluster, 'chainfire', nowMs) === undefined && !isSoleVoter(snapshot)) {
    return shut('no-leader', 'no Chainfire leader with quorum is known just now', true)
  }
  const founding = snapshot.serviceFoundings.find((row) => row.service === 'flaredb')
  switch (founding?.state ?? 'none') {
    case 'none':
      if (mayHaveForgotten(cluster.founding)) return flaredbUnknown(snapshot)
      return mayFoundFlaredb(snapshot)
        ? { kind: 'needs-slot', action: 'found' }
        : shut('not-founded', 'FlareDB is not founded yet: the founder of the cluster does it', true)
    case 'granted':
      if (isGrantInDoubt(snapshot, request)) return flaredbUnknown(snapshot)
      return founding?.machineId === machine.id
        ? { kind: 'needs-slot', action: 'found', isItsAlone: true }
        : shut('not-founded', 'FlareDB is being founded by another machine', true)
    case 'done':
      return joinPassage(snapshot, 'flaredb')
  }
}

/** Where nobody can be asked for want of a CA, the only voter that there is leads whenever it speaks. */
function isSoleVoter({ cluster, machine, members }: GateSnapshot): boolean {
  if (cluster.settings.healthCa !== undefined) return false
  const [first, ...others] = rowsInGroup(members, cluster, 'chainfire').filter((row) => row.voter)
  return others.length === 0 && first?.machineId === machine.id && first.state === 'member'
}

/**
 * A restored server does not know whether somebody was told to found FlareDB since the backup, so nobody is told again:
 * its members are seen leading, or an operator gives the founding to one machine.
 */
function flaredbUnknown(snapshot: GateSnapshot): Passage {
  const { cluster, machine, nowMs } = snapshot
  const healthy = freshGroup(cluster, 'flaredb', nowMs)?.healthyMachineIds ?? []
  const isThere = healthy.some((machineId) => machineId !== machine.id)
  const name = founderToName(snapshot)
  const cure =
    name === undefined
      ? `pilotlight machine arm ${machine.name} and boot it again, so that its data says which member of Chainfire it is`
      : `pilotlight cluster founding move ${cluster.name} --service flaredb --to ${name}`
  return isThere
    ? shut('flaredb-there', `a member of FlareDB answers already: bring its others up, or ${cure}`, true)
    : shut(
        'flaredb-unknown',
        `whether FlareDB was founded before the restore is not known: bring its members up, or where there are none, ${cure}`,
        true,
      )
}

/**
 * A restored server knows that a machine was to found FlareDB. In the boot that was told so it goes on; one that comes anew,
 * without data, may have founded it long ago, for others who have joined since.
 */
function isGrantInDoubt(
  { cluster, slot, attempt, serviceFoundings }: GateSnapshot,
  request: GateRequest,
): boolean {
  const row = serviceFoundings.find((candidate) => candidate.service === 'flaredb')
  return isFromBeforeRestore(cluster, row?.slotNo) && request.marker === '' && slot.bootId !== attempt.bootId
}

/** A machine that FlareDB's founding may be moved to: this one, or another where a restore forgot its row of Chainfire. */
function founderToName({ members, cluster, machine }: GateSnapshot): string | undefined {
  const voters = members.filter(
    (row) =>
      row.service === 'chainfire' &&
      row.state === 'member' &&
      row.voter &&
      row.epoch === cluster.founding.epoch,
  )
  const [first] = voters
  if (voters.some((row) => row.machineId === machine.id)) return machine.name
  return first === undefined ? undefined : machineNameOf(first.memberId)
}

/** The founder while it speaks, else any member of Chainfire: the queue says which is first. */
function mayFoundFlaredb(snapshot: GateSnapshot): boolean {
  const { cluster, machine, nowMs } = snapshot
  const { holderMachineId, holderBootId } = cluster.founding
  if (holderMachineId === machine.id && holderBootId === snapshot.attempt.bootId) return true
  const isHolderHeard =
    snapshot.holderHeardAtMs !== undefined && nowMs - snapshot.holderHeardAtMs <= HOLDER_HEARD_WITHIN_MS
  if (isHolderHeard || !isControlPlane(machine.role)) return false
  return ownRows(snapshot, 'chainfire').some(
    (row) => row.state === 'member' && row.epoch === cluster.founding.epoch,
  )
}

function iamPassage(snapshot: GateSnapshot): Passage {
  const { serviceFoundings, cluster, machine } = snapshot
  const { epoch } = cluster.founding
  // A machine whose role runs no IAM has nothing to set up.
  if (!servicesOf(machine.role, cluster.settings.services).includes('iam'))
    return { kind: 'free-pass', action: 'skip', epoch }
  const flaredb = serviceFoundings.find((row) => row.service === 'flaredb')
  if (flaredb?.state !== 'done') return shut('not-founded', 'FlareDB is not founded yet', true)
  if (isIamDone(snapshot)) return { kind: 'free-pass', action: 'skip', epoch }
  return { kind: 'needs-slot', action: 'setup' }
}

function isIamDone(snapshot: GateSnapshot): boolean {
  return snapshot.serviceFoundings.some((row) => row.service === 'iam' && row.state === 'done')
}

function hasSucceeded(snapshot: GateSnapshot, step: string): boolean {
  return snapshot.steps.some((record) => record.step === step && record.state === 'succeeded')
}
