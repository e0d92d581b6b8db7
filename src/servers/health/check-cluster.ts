import type { RaftService } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import type { ServiceName } from '../../model/service.ts'
import { healthChecksOf, serviceByName, servicesApiOf, servicesOf } from '../../model/services.ts'
import {
  type EndpointResult,
  outagesOf,
  type QuorumResult,
  quorumOf,
  type ServiceOutage,
} from '../../policy/cluster/cluster-health.ts'
import type { ClusterAccess } from '../cluster-access.ts'
import { askEndpoint } from './ask-endpoint.ts'
import type { Asking } from './ask-https.ts'

const ASK_TIMEOUT_MS = 3_000
/** Questions under way at a time: a check of a large cluster must not look like an attack on it. */
const AT_A_TIME = 64
const RAFT_SERVICES: readonly RaftService[] = ['chainfire', 'flaredb']

/** A machine with the address where its services are. */
export interface CheckedMachine {
  readonly machine: Machine
  readonly address: string
  /** A voter of the Raft groups, by what was recorded. */
  readonly votes: boolean
}

export interface ClusterCheck {
  readonly healthy: boolean
  readonly results: readonly EndpointResult[]
  readonly quorum: readonly QuorumResult[]
  readonly outages: readonly ServiceOutage[]
}

/** Asks every endpoint of every machine's role, and judges what came back. Changes nothing. */
export async function checkCluster(
  access: ClusterAccess,
  machines: readonly CheckedMachine[],
): Promise<ClusterCheck> {
  const { cluster } = access
  const api = servicesApiOf(cluster.settings.servicesApi)
  const asking = (service: ServiceName): Asking => ({
    ca: cluster.settings.healthCa,
    authorization: access.authorizationFor(service),
    timeoutMs: ASK_TIMEOUT_MS,
  })
  const questions = machines.flatMap((checked) =>
    servicesOf(checked.machine.role, cluster.settings.services).flatMap((service) =>
      healthChecksOf(serviceByName(service), api).map(
        (check) => async (): Promise<EndpointResult> => ({
          machine: checked.machine.name,
          ...(await askEndpoint(checked.address, service, check, asking(service))),
        }),
      ),
    ),
  )
  const results = await allOf(questions, AT_A_TIME)
  const voters = machines.filter(({ votes }) => votes).map(({ machine }) => machine.name)
  const quorum = RAFT_SERVICES.map((service) =>
    quorumOf(service, voters, results, cluster.settings.clusterSizeCounts),
  )
  return {
    healthy:
      results.length > 0 &&
      results.every(({ verdict }) => verdict.word === 'healthy') &&
      quorum.every(({ ok }) => ok),
    results,
    quorum,
    outages: outagesOf(results),
  }
}

async function allOf<Result>(
  questions: readonly (() => Promise<Result>)[],
  atATime: number,
): Promise<readonly Result[]> {
  const results: Result[] = new Array(questions.length)
  let next = 0
  const workers = Array.from({ length: Math.min(atATime, questions.length) }, async () => {
    for (let index = next++; index < questions.length; index = next++) {
      const question = questions[index]
      if (question !== undefined) results[index] = await question()
    }
  })
  await Promise.all(workers)
  return results
}
