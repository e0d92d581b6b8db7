import https from 'node:https'
import type { Logger } from 'pino'
import type { Cluster, Member, RaftService } from '../model/cluster.ts'
import { servicesApiOf, serviceUrl } from '../model/services.ts'
import { decideProbe, type HealthAnswer } from '../policy/cluster/decide-probe.ts'
import type { Store } from '../store/store.ts'

const CALL_TIMEOUT_MS = 3_000
const MAX_BODY_BYTES = 64 * 1024
/** While machines join, and when nothing happens. */
const BUSY_EVERY_MS = 8_000
const CALM_EVERY_MS = 15_000
const MAX_CLUSTERS = 200

/** Asks the members of founded clusters for their health, over TLS with the cluster's own CA pinned. */
export class ClusterProber {
  readonly #store: Store
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  #round: Promise<void> = Promise.resolve()
  #trouble = new Map<string, string>()

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
  }

  start(): void {
    this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#round
  }

  /** Asks now: a cluster was just founded, or a machine joined it. */
  soon(): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#schedule(500)
  }

  #schedule(afterMs: number): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => {
      this.#round = this.#probeAll().catch((error: unknown) =>
        this.#log.warn({ err: error }, 'cluster probe failed'),
      )
    }, afterMs)
  }

  async #probeAll(): Promise<void> {
    const { clusters, machines } = this.#store.lists
    const founded = clusters.list('', MAX_CLUSTERS).filter(({ founding }) => founding.state === 'founded')
    await Promise.all(founded.map((cluster) => this.#probe(cluster)))
    const isBusy = founded.some((cluster) =>
      machines.ofCluster(cluster.id).some(({ state }) => state === 'first-boot' || state === 'booting'),
    )
    this.#schedule(isBusy ? BUSY_EVERY_MS : CALM_EVERY_MS)
  }

  async #probe(cluster: Cluster): Promise<void> {
    const ca = cluster.settings.healthCa
    // Without the CA nothing can be believed, so nothing is asked: the members' own reports have to do.
    if (ca === undefined) return
    const members = this.#store.lists.membership.members(cluster.id)
    const round = {
      chainfire: await this.#askAll(cluster, members, 'chainfire', ca),
      flaredb: await this.#askAll(cluster, members, 'flaredb', ca),
    }
    await this.#store.decide(
      (view) => {
        const now = view.clusters.byId(cluster.id)
        return {
          nowMs: view.nowMs,
          members: view.membership.members(cluster.id),
          ...(now === undefined ? {} : { cluster: now }),
        }
      },
      (snapshot) => decideProbe(snapshot, round),
    )
  }

  #askAll(
    cluster: Cluster,
    members: readonly Member[],
    service: RaftService,
    ca: string,
  ): Promise<HealthAnswer[]> {
    const living = members.filter(
      (row) => row.service === service && (row.state === 'member' || row.state === 'joining'),
    )
    const addresses = [...new Set(living.map((row) => row.address))]
    const api = servicesApiOf(cluster.settings.servicesApi)
    return Promise.all(
      addresses.map(async (address) => {
        const url = `${serviceUrl(api, service, address)}${api[service]?.health ?? '/health'}`
        try {
          const answer = healthOf(address, await getJson(url, ca))
          this.#trouble.delete(url)
          return answer
        } catch (error) {
          this.#noteTrouble(url, (error as Error).message)
          return { address, isHealthy: false }
        }
      }),
    )
  }

  /** One line when the trouble with an endpoint changes, not one a round. */
  #noteTrouble(url: string, message: string): void {
    if (this.#trouble.get(url) === message) return
    this.#trouble.set(url, message)
    this.#log.info({ url, why: message }, 'health endpoint does not answer')
  }
}

function healthOf(address: string, body: unknown): HealthAnswer {
  const {
    status,
    raft,
    cluster_size: size,
  } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  return {
    address,
    isHealthy: status === 'healthy',
    ...(raft === 'leader' || raft === 'follower' ? { raft } : {}),
    ...(typeof size === 'number' && Number.isInteger(size) && size > 0 && size < 1000
      ? { clusterSize: size }
      : {}),
  }
}

/** Only to addresses of the cluster's own machines; no redirect is followed, and a long body is cut off. */
function getJson(url: string, ca: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = https.get(
      url,
      { ca, agent: false, timeout: CALL_TIMEOUT_MS, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MAX_BODY_BYTES) response.destroy(new Error('the answer is too long'))
          chunks.push(chunk)
        })
        response.once('error', reject)
        response.once('end', () => {
          if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`))
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
          } catch (cause) {
            reject(new Error('the answer is no JSON', { cause }))
          }
        })
      },
    )
    request.once('error', reject)
  })
}
