import type { ServiceName } from '../../model/service.ts'
import { servicesOf } from '../../model/services.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import { SERVICE_OF_STEP } from './limits.ts'
import { situationOf } from './situation.ts'
import type { DiagnosisSnapshot } from './snapshot.ts'

/** A service on a machine that is worth asking before a diagnosis. */
export interface HealthWanted {
  readonly address: Ipv4
  readonly service: ServiceName
}

/**
 * Which health endpoints say more than the records do: the node's own service for a step that has not come to its gate,
 * every member of both Raft groups for a gate without a leader. None for a machine that moves.
 */
export function healthWanted(snapshot: DiagnosisSnapshot): readonly HealthWanted[] {
  const { standing, step, gate } = situationOf(snapshot)
  if (step === undefined || (standing !== 'stalled' && standing !== 'failed' && standing !== 'waiting'))
    return []
  if (gate?.reason === 'no-leader') {
    const living = snapshot.members.filter((row) => row.state === 'member' || row.state === 'joining')
    return living.map(({ address, service }) => ({ address, service }))
  }
  const { address, machine, cluster } = snapshot
  if (address === undefined || gate !== undefined) return []
  if (step !== 'cluster-health-check') return [{ address, service: SERVICE_OF_STEP[step] }]
  return servicesOf(machine.role, cluster?.settings.services).map((service) => ({ address, service }))
}
