import { SERVICE_NAMES } from '../../model/service.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { refusal } from '../refusal.ts'
import { clusterEvent } from './cluster-event.ts'
import type { ClusterReply } from './decide-move.ts'
import type { ClusterPicture } from './picture.ts'

/**
 * F20: the cluster is closed for ever; its row stays as a tombstone, under another name, so that the name is free. Right
 * when no machine of it is left, or all have been decommissioned.
 */
export function decideClusterDeletion(picture: ClusterPicture): Decision<ClusterReply> {
  const { cluster, machines, nowMs } = picture
  const { founding, probe: _probe, ...rest } = cluster
  if (founding.state === 'closed') {
    const wrong = refusal(409, 'cluster-closed', `${cluster.name} is deleted already`, 'nothing to do')
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  const inUse = machines.filter((machine) => machine.holdReason !== 'decommissioned')
  if (inUse.length > 0) {
    const names = inUse.map((machine) => machine.name).slice(0, 5)
    const wrong = refusal(
      409,
      'cluster-in-use',
      `${inUse.length} machines belong to ${cluster.name}: ${names.join(' ')}`,
      `pilotlight machine decommission ${names[0]}, and so on, or machine edit --cluster ANOTHER`,
    )
    return { reply: wrong, reason: wrong.code, effects: [] }
  }
  const effects: Effect[] = [
    { kind: 'put-founding', clusterId: cluster.id, founding: { ...founding, state: 'closed' } },
    { kind: 'put-cluster', cluster: { ...rest, name: `${cluster.name}.closed-${cluster.id.slice(0, 8)}` } },
    ...machines.map(
      (machine): Effect => ({ kind: 'revoke-boot-tokens', machineId: machine.id, atMs: nowMs }),
    ),
    // What was shown to its services opens nothing any more that we would ask.
    ...SERVICE_NAMES.map(
      (service): Effect => ({ kind: 'drop-service-credential', clusterId: cluster.id, service }),
    ),
    clusterEvent(cluster, nowMs, 'cluster.deleted', { from: founding.state }),
  ]
  return {
    reply: { kind: 'done', clusterId: cluster.id, notes: [`${cluster.name} is gone`] },
    reason: 'F20',
    effects,
  }
}
