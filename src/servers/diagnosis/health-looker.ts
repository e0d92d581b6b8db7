import { healthChecksOf, serviceByName, servicesApiOf } from '../../model/services.ts'
import { printable } from '../../net/bytes.ts'
import type { HealthVerdict } from '../../policy/cluster/judge-health.ts'
import type { HealthWanted } from '../../policy/diagnosis/health-wanted.ts'
import type { HealthSeen } from '../../policy/diagnosis/snapshot.ts'
import type { ClusterAccess } from '../cluster-access.ts'
import { askEndpoint } from '../health/ask-endpoint.ts'
import type { Asking } from '../health/ask-https.ts'

const CALL_TIMEOUT_MS = 3_000
const SAID_CHARACTERS = 160
/** A look is good for so long; who asks again within it gets the same answer. */
const FRESH_MS = 5_000
const MOST_KEPT = 2_000

/** Asks the services of stuck machines for their health, as `cluster check` does, and keeps the answers. */
export class HealthLooker {
  readonly #seen = new Map<string, HealthSeen>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Answers of now, or of the last five seconds; without the cluster's CA nothing can be believed, so none. */
  async look(
    access: ClusterAccess | undefined,
    wanted: readonly HealthWanted[],
  ): Promise<readonly HealthSeen[]> {
    if (access?.cluster.settings.healthCa === undefined) return []
    return Promise.all(wanted.map((one) => this.#lookAt(access, one)))
  }

  async #lookAt(access: ClusterAccess, wanted: HealthWanted): Promise<HealthSeen> {
    const { cluster } = access
    const key = `${cluster.id} ${wanted.address} ${wanted.service}`
    const kept = this.#seen.get(key)
    if (kept !== undefined && this.#nowMs() - kept.atMs < FRESH_MS) return kept
    const checks = healthChecksOf(serviceByName(wanted.service), servicesApiOf(cluster.settings.servicesApi))
    const asking: Asking = {
      ca: cluster.settings.healthCa,
      authorization: access.authorizationFor(wanted.service),
      timeoutMs: CALL_TIMEOUT_MS,
    }
    const results = await Promise.all(
      checks.map((check) => askEndpoint(wanted.address, wanted.service, check, asking)),
    )
    const seen = { ...wanted, atMs: this.#nowMs(), ...inOneLine(results.map(({ verdict }) => verdict)) }
    if (this.#seen.size >= MOST_KEPT) this.#seen.clear()
    this.#seen.set(key, seen)
    return seen
  }
}

/** A service is healthy when all its endpoints are; of several that are ill the first is told. */
function inOneLine(verdicts: readonly HealthVerdict[]): Pick<HealthSeen, 'isHealthy' | 'raft' | 'said'> {
  const ill = verdicts.find(({ word }) => word !== 'healthy')
  const raft = verdicts.find(({ facts }) => facts.raft !== undefined)?.facts.raft
  return {
    isHealthy: ill === undefined,
    said: ill === undefined ? 'healthy' : short(`${ill.word}: ${ill.detail}`),
    ...(raft === undefined ? {} : { raft: printable(String(raft)) }),
  }
}

/** What a service said is data from the network: printable, and no more than a line of it. */
function short(text: string): string {
  return printable(text.slice(0, SAID_CHARACTERS).trim())
}
