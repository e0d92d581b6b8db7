import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision, Moment } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** How long an arm lasts when the operator names no time. */
export const DEFAULT_ARM_SECONDS = 30 * 60

export interface ArmSnapshot extends Moment {
  readonly machine: Machine
  readonly cluster?: Cluster
}

export type ArmReply =
  | { readonly kind: 'done'; readonly machineId: string; readonly untilMs: number }
  | Refusal

/**
 * The operator's word that this machine may be provisioned, once, within a time. What would stop it at boot stops it
 * here: no image, no cluster, held, a frozen cluster, or still first-booting for the cluster it founds.
 */
export function decideArm(snapshot: ArmSnapshot, forSeconds: number): Decision<ArmReply> {
  const { machine, cluster, nowMs } = snapshot
  const wrong = armFault(machine, cluster)
  if (wrong !== undefined) return { reply: wrong, reason: wrong.code, effects: [] }
  const untilMs = nowMs + forSeconds * 1000
  const effects: Effect[] = [
    { kind: 'arm-machine', machineId: machine.id, untilMs },
    { kind: 'set-machine-state', machineId: machine.id, state: 'armed' },
    {
      kind: 'append-event',
      event: {
        atMs: nowMs,
        type: 'machine.armed',
        machineId: machine.id,
        data: { name: machine.name, for_seconds: forSeconds },
        ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
      },
    },
  ]
  return { reply: { kind: 'done', machineId: machine.id, untilMs }, reason: 'armed', effects }
}

function armFault(machine: Machine, cluster: Cluster | undefined): Refusal | undefined {
  const { name } = machine
  if (machine.state === 'discovered') {
    return refusal(
      409,
      'not-accepted',
      `${name} was only discovered`,
      `pilotlight machine add NAME --mac ${machine.macs[0]}`,
    )
  }
  if (machine.state === 'held') {
    return refusal(409, 'machine-held', `${name} is held`, `pilotlight machine release ${name}`)
  }
  if (machine.bootMode === 'local') {
    return refusal(
      409,
      'local-mode',
      `${name} boots from its own disk`,
      `pilotlight machine edit ${name} --boot-mode netboot`,
    )
  }
  if (machine.imageId === undefined) {
    return refusal(409, 'no-image', `${name} has no image`, `pilotlight machine edit ${name} --image ID`)
  }
  if (machine.clusterId === undefined || cluster === undefined) {
    return refusal(
      409,
      'no-cluster',
      `${name} belongs to no cluster`,
      `pilotlight machine edit ${name} --cluster NAME`,
    )
  }
  const { state } = cluster.founding
  if (cluster.held || state === 'frozen' || state === 'closed') {
    const how = cluster.held ? 'held' : state
    return refusal(
      409,
      'cluster-frozen',
      `cluster ${cluster.name} is ${how}`,
      `pilotlight cluster show ${cluster.name}`,
    )
  }
  return undefined
}
