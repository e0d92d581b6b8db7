import type { BootAttempt } from '../../model/boot-attempt.ts'
import { isControlPlane, type Machine } from '../../model/machine.ts'
import type { DiagnosisSnapshot, Peer } from '../../policy/diagnosis/snapshot.ts'
import { given } from '../tables/rows.ts'
import type { Tables } from '../tables/tables.ts'
import { readAttemptRecords } from './attempt.ts'

/** What a diagnosis uses beside the rows: limits, what services said, how the server is. */
export type DiagnosisSurroundings = Pick<
  DiagnosisSnapshot,
  'nowMs' | 'limits' | 'health' | 'server' | 'servingSinceMs'
>

/** Reads what the diagnosis of one machine needs. */
export function readDiagnosisSnapshot(
  tables: Tables,
  machine: Machine,
  surroundings: DiagnosisSurroundings,
): DiagnosisSnapshot {
  const { attempts, clusters, images, machines, membership, redemptions } = tables
  const attempt = attemptThatCounts(tables, machine)
  // A boot keeps the image that its script named; before it has one, only an image for ever is known.
  const imageId = attempt?.imageId ?? machine.imageId
  const cluster = machine.clusterId === undefined ? undefined : clusters.byId(machine.clusterId)
  const slots = cluster === undefined ? [] : membership.slots(cluster.id)
  const holders = new Set(slots.map(({ machineId }) => machineId))
  // Of a large cluster only those that somebody may wait for: founders, voters, and who holds a slot.
  const others = (cluster === undefined ? [] : machines.ofCluster(cluster.id)).filter(
    ({ id, role }) => id !== machine.id && (isControlPlane(role) || holders.has(id)),
  )
  return {
    ...surroundings,
    machine,
    members: cluster === undefined ? [] : membership.members(cluster.id),
    slots,
    serviceFoundings: cluster === undefined ? [] : membership.serviceFoundings(cluster.id),
    peers: others.map((other) => peerOf(tables, other)),
    ...given('records', attempt === undefined ? undefined : readAttemptRecords(tables, attempt)),
    ...given('clockSkewMs', attempt === undefined ? undefined : attempts.clockSkewMs(attempt.bootId)),
    ...given('address', attempt === undefined ? undefined : redemptions.ofBoot(attempt.bootId)?.address),
    ...given('image', imageId === undefined ? undefined : images.byId(imageId)),
    ...given('cluster', cluster),
  }
}

/** As much of it as says where the machine stands: cheap enough for every machine that boots, every few seconds. */
export function readSituationSnapshot(
  tables: Tables,
  machine: Machine,
  surroundings: DiagnosisSurroundings,
): DiagnosisSnapshot {
  const attempt = attemptThatCounts(tables, machine)
  return {
    ...surroundings,
    machine,
    members: [],
    slots: [],
    serviceFoundings: [],
    peers: [],
    ...given('records', attempt === undefined ? undefined : readAttemptRecords(tables, attempt)),
  }
}

/** The current attempt while it runs: a stranger's DISCOVER after it is not what an operator asks about. */
export function attemptThatCounts({ attempts }: Tables, machine: Machine): BootAttempt | undefined {
  const current = machine.currentBootId === undefined ? undefined : attempts.byId(machine.currentBootId)
  const isRunning = current !== undefined && current.endedAtMs === undefined && current.status === 'current'
  return isRunning ? current : attempts.latestOf(machine.id)
}

function peerOf(tables: Tables, machine: Machine): Peer {
  const attempt = attemptThatCounts(tables, machine)
  return {
    machine,
    steps: attempt === undefined ? [] : tables.attempts.steps(attempt.bootId),
    ...given('heardAtMs', attempt?.heardAtMs),
    ...given('stage', attempt?.stage),
  }
}
