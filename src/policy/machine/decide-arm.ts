import type { Member } from '../../model/cluster.ts'
import { isControlPlane, isHeldByServer, type Machine } from '../../model/machine.ts'
import { leaderSeenWithin } from '../cluster/leaders.ts'
import { rowsInGroup } from '../cluster/membership.ts'
import type { ClusterPicture } from '../cluster/picture.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { freeSpaceFault } from '../free-space.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { type AddressKeeping, armFault } from './arm-fault.ts'
import { checkImage, type ImageCheckFacts, imageRefusal, imageWarnings } from './check-image.ts'
import { diskMemberOf } from './disk-member.ts'

/** How long an arm lasts when the operator names no time. */
export const DEFAULT_ARM_SECONDS = 30 * 60

const HEALTHY_WITHIN_MS = 10_000
const LEADER_WITHIN_MS = 30_000

export interface ArmSnapshot extends Moment, ImageCheckFacts {
  /** Its cluster whole; undefined: it belongs to none. */
  readonly picture?: ClusterPicture
  readonly addresses: AddressKeeping
  /** Room on the data disk. */
  readonly freeBytes: number
}

export type ArmReply =
  | {
      readonly kind: 'done'
      readonly machineId: string
      readonly untilMs: number
      readonly warnings: readonly string[]
    }
  | Refusal

/**
 * The operator's word that this machine may be provisioned, once, within a time. What would stop it at boot stops it
 * here, an image that it cannot boot and a full data disk too, and so does what would take a voter out of its group: that is `reprovision`, which removes it first.
 */
export function decideArm(snapshot: ArmSnapshot, forSeconds: number): Decision<ArmReply> {
  const { machine, picture, nowMs } = snapshot
  const checked = checkImage(snapshot)
  const wrong =
    armFault(machine, picture?.cluster, snapshot.addresses) ??
    imageRefusal(checked) ??
    freeSpaceFault(snapshot.freeBytes) ??
    (picture === undefined ? undefined : memberFault(picture, machine))
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const untilMs = nowMs + forSeconds * 1000
  const said = [...warnings(picture), ...imageWarnings(checked)]
  const reply = { kind: 'done', machineId: machine.id, untilMs, warnings: said } as const
  return { reply, reason: 'armed', effects: armed(machine, untilMs, nowMs, { for_seconds: forSeconds }) }
}

/** The effects of an arm; others that arm a machine as a part of more say how in the event. */
export function armed(
  machine: Machine,
  untilMs: number,
  nowMs: number,
  data: Readonly<Record<string, string | number | boolean>> = {},
): Effect[] {
  const { holdStep } = machine
  const released: Effect = {
    kind: 'hold-machine',
    machineId: machine.id,
    ...(holdStep === undefined ? {} : { step: holdStep }),
  }
  return [
    ...(isHeldByServer(machine) ? [released] : []),
    { kind: 'arm-machine', machineId: machine.id, untilMs },
    { kind: 'set-machine-state', machineId: machine.id, state: 'armed' },
    {
      kind: 'append-event',
      event: {
        atMs: nowMs,
        type: 'machine.armed',
        machineId: machine.id,
        data: { name: machine.name, ...data },
        ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
      },
    },
  ]
}

/** Data that this boot would wipe: a member's in RAM, or on a disk that is installed anew. */
function memberFault(picture: ClusterPicture, machine: Machine): Refusal | undefined {
  const { cluster, nowMs } = picture
  const { state } = cluster.founding
  if (state !== 'founded' && state !== 'lost') return undefined
  const own = picture.members.filter((row) => row.machineId === machine.id && isLiving(row, picture))
  const [first] = own
  if (first === undefined) return undefined
  const keepsData = cluster.stateKind === 'persistent' && machine.bootMode === 'netboot'
  if (keepsData) return undefined
  const voters = rowsInGroup(picture.members, cluster, first.service).filter((row) => row.voter)
  if (voters.length === 1 && first.voter && state === 'founded' && first.state === 'member') {
    const isLed = leaderSeenWithin(cluster, LEADER_WITHIN_MS, nowMs)
    const refound = refoundOf(picture, machine)
    return refusal(
      409,
      'sole-member',
      `${machine.name} is the only voter of ${cluster.name}: booting it anew ends the cluster`,
      isLed
        ? `add another control-plane machine first, or switch ${machine.name} off and then ${refound}`
        : refound,
    )
  }
  // What lies on a disk is there though its machine is off: after a power cut it may be what the quorum needs.
  const onDisk = diskMemberOf(machine, cluster, own)
  const isUp = RUNNING.has(machine.state) && own.some((row) => seenHealthy(picture, row))
  if (!isUp && onDisk === undefined) return undefined
  return refusal(
    409,
    'still-member',
    `${machine.name} is ${first.memberId}, ${isUp ? 'a running' : 'a'} member of ${cluster.name}, and would lose its data`,
    state === 'lost' ? refoundOf(picture, machine) : `pilotlight machine reprovision ${machine.name}`,
  )
}

function refoundOf({ cluster }: ClusterPicture, machine: Machine): string {
  return `pilotlight cluster refound ${cluster.name} --machine ${machine.name} --discard-state ${cluster.name}`
}

const RUNNING = new Set(['first-boot', 'ready', 'failed', 'enrolled', 'installed', 'held'])

function isLiving(row: Member, picture: ClusterPicture): boolean {
  return row.epoch === picture.cluster.founding.epoch && (row.state === 'member' || row.state === 'joining')
}

function seenHealthy(picture: ClusterPicture, row: Member): boolean {
  const facts = picture.cluster.probe.groups?.[row.service]
  if (facts === undefined || picture.nowMs - facts.atMs > HEALTHY_WITHIN_MS) return false
  return facts.healthyMachineIds.includes(row.machineId)
}

function warnings(picture: ClusterPicture | undefined): readonly string[] {
  if (picture === undefined || picture.cluster.stateKind === 'persistent') return []
  if (!picture.machines.some((machine) => isControlPlane(machine.role))) return []
  return [
    `every voter of ${picture.cluster.name} keeps its data in RAM only: a full power loss loses the cluster, and only pilotlight cluster refound begins it anew`,
  ]
}
