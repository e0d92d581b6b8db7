import type { RaftService } from '../../model/cluster.ts'
import type { Impact, ServiceName } from '../../model/service.ts'
import { SERVICES, serviceByName } from '../../model/services.ts'
import type { HealthVerdict, HealthWord } from './judge-health.ts'

/** One endpoint of one machine, asked. */
export interface EndpointResult {
  readonly machine: string
  readonly address: string
  readonly service: ServiceName
  /** `https://10.77.0.11:2379/health`, `dns://10.77.0.11:53/health.local`. */
  readonly endpoint: string
  readonly verdict: HealthVerdict
  /** What a port that may speak two protocols answered in each. */
  readonly speaks?: { readonly https: HealthWord; readonly dns_over_tls: HealthWord }
  readonly ms: number
}

/** Is there a leader and a majority behind it? */
export interface QuorumResult {
  readonly service: RaftService
  readonly voters: number
  readonly healthy: number
  readonly needed: number
  readonly leaders: readonly string[]
  readonly ok: boolean
}

/** A service that is ill somewhere: what it means for the cluster, and what softens it. */
export interface ServiceOutage {
  readonly service: ServiceName
  /** `all`: no machine has a healthy one. */
  readonly extent: 'some' | 'all'
  readonly machines: readonly string[]
  readonly impact: readonly Impact[]
  readonly mitigation: readonly string[]
}

/**
 * The quorum of a Raft group by one round of answers. The voters are the larger of what we recorded and what Chainfire
 * says of its size; a machine that did not answer counts as neither healthy nor gone.
 */
export function quorumOf(
  service: RaftService,
  voterMachines: readonly string[],
  results: readonly EndpointResult[],
  clusterSizeCounts: 'voters' | 'all' = 'voters',
): QuorumResult {
  const answers = results.filter((result) => result.service === service)
  const healthy = answers.filter(
    ({ machine, verdict }) => verdict.word === 'healthy' && voterMachines.includes(machine),
  )
  // Where it counts members without a vote as well, it tells nothing of the voters.
  const told = (clusterSizeCounts === 'voters' ? answers : []).map(
    ({ verdict }) => verdict.facts.cluster_size,
  )
  const voters = Math.max(
    voterMachines.length,
    ...told.map((size) => (typeof size === 'number' ? size : 0)),
    1,
  )
  const needed = Math.floor(voters / 2) + 1
  const leaders = healthy
    .filter(({ verdict }) => verdict.facts.raft === 'leader')
    .map(({ machine }) => machine)
  return {
    service,
    voters,
    healthy: healthy.length,
    needed,
    leaders,
    ok: leaders.length === 1 && healthy.length >= needed,
  }
}

/** The services that are ill somewhere, in the order of the catalogue. */
export function outagesOf(results: readonly EndpointResult[]): readonly ServiceOutage[] {
  return SERVICES.flatMap(({ name }) => {
    const own = results.filter((result) => result.service === name)
    const ill = [
      ...new Set(own.filter(({ verdict }) => verdict.word !== 'healthy').map(({ machine }) => machine)),
    ]
    if (ill.length === 0) return []
    const all = new Set(own.map(({ machine }) => machine))
    const { impact, mitigation } = serviceByName(name)
    return [
      { service: name, extent: ill.length === all.size ? 'all' : 'some', machines: ill, impact, mitigation },
    ]
  })
}
