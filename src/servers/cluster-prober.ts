import type { Logger } from 'pino'
import type { Cluster, RaftService } from '../model/cluster.ts'
import { isControlPlane, type MachineState } from '../model/machine.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import { parseIpv4 } from '../net/ipv4.ts'
import { decideProbe, tablesOf } from '../policy/cluster/decide-probe.ts'
import type { GroupRound, HealthAnswer } from '../policy/cluster/judge-round.ts'
import { type ClusterPicture, joinStepOf, RAFT_SERVICES, slotOf } from '../policy/cluster/picture.ts'
import { decideRemovalResult, nextTryAtMs, type RemovalInFlight } from '../policy/cluster/removal.ts'
import { readPicture } from '../store/snapshots/picture.ts'
import type { Store } from '../store/store.ts'
import { clusterAccess } from './cluster-access.ts'
import { askHealth, askList, removeMember } from './member-calls.ts'

/** While machines join (each join asks at once besides), and when nothing happens. A leader counts as known for 30 s. */
const BUSY_EVERY_MS = 12_000
const BUSY_STATES: ReadonlySet<MachineState> = new Set(['booting', 'first-boot', 'installed'])
const CALM_EVERY_MS = 15_000
const MAX_CLUSTERS = 200

/**
 * Asks the members of clusters for their health and their list, over TLS with the cluster's own CA pinned, and carries
 * out the removals that the tables hold. Each round and each removal's result is a unit of its own.
 */
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

  /** Asks one cluster and waits for it: the quorum guard believes nothing that is older than 10 s. */
  async probeNow(clusterId: string): Promise<void> {
    await this.#probe(clusterId)
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
    try {
      const living = clusters.list('', MAX_CLUSTERS).filter(({ founding }) => founding.state !== 'closed')
      await Promise.all(
        living.map(async ({ id }) => {
          await this.#probe(id)
          await this.#remove(id)
        }),
      )
      const isBusy = living.some(({ id }) =>
        machines.ofCluster(id).some(({ state }) => BUSY_STATES.has(state)),
      )
      this.#schedule(isBusy ? BUSY_EVERY_MS : CALM_EVERY_MS)
    } catch (error) {
      this.#schedule(CALM_EVERY_MS)
      throw error
    }
  }

  async #probe(clusterId: string): Promise<void> {
    const before = readPicture(this.#store.lists, clusterId, this.#store.nowMs())
    // Without the CA nothing can be believed, so nothing is asked: the members' own reports have to do.
    if (before === undefined || before.cluster.settings.healthCa === undefined) return
    const tablesBefore = tablesOf(before)
    const [chainfire, flaredb] = await Promise.all([
      this.#askGroup(before, 'chainfire'),
      this.#askGroup(before, 'flaredb'),
    ])
    const round = { chainfire, flaredb, tablesBefore }
    await this.#store.decide(
      (view) => readPicture(view, clusterId, view.nowMs),
      (picture) =>
        picture === undefined
          ? { reply: undefined, reason: 'cluster-gone', effects: [] }
          : decideProbe(picture, round),
    )
  }

  async #askGroup(picture: ClusterPicture, service: RaftService): Promise<GroupRound> {
    const { cluster } = picture
    const access = clusterAccess(this.#store, cluster)
    const asked = await Promise.all(
      addressesOf(picture).map(async ([machineId, address]): Promise<HealthAnswer> => {
        const name = `${service} ${address}`
        try {
          const answer = await askHealth(access, service, machineId, address)
          this.#trouble.delete(name)
          return answer
        } catch (error) {
          this.#noteTrouble(cluster, name, (error as Error).message)
          return { machineId, address, isHealthy: false }
        }
      }),
    )
    const leaders = asked.filter((answer) => answer.isHealthy && answer.raft === 'leader')
    const [leader] = leaders
    const list =
      leader === undefined || leaders.length > 1
        ? ({ kind: 'no-answer' } as const)
        : await askList(access, service, leader.address)
    return { answers: asked, list }
  }

  /** Calls for the removals that are on the disk, one a service; what is not due yet waits for a later round. */
  async #remove(clusterId: string): Promise<void> {
    const picture = readPicture(this.#store.lists, clusterId, this.#store.nowMs())
    if (picture === undefined || picture.cluster.founding.state !== 'founded' || picture.cluster.held) return
    for (const service of RAFT_SERVICES) {
      const slot = slotOf(picture, joinStepOf(service))
      const facts = picture.cluster.probe.groups?.[service]
      const isDue = slot.state === 'server' && nextTryAtMs(slot) <= picture.nowMs
      if (!isDue || slot.memberId === undefined || facts?.result !== 'leader-quorum') continue
      const leader = parseIpv4(new URL(facts.leaderUrl ?? 'https://none').hostname)
      if (leader === undefined) continue
      const removal: RemovalInFlight = { service, memberId: slot.memberId, slotNo: slot.slotNo }
      const access = clusterAccess(this.#store, picture.cluster)
      const result = await removeMember(access, service, leader, slot.memberId)
      const { reason } = await this.#store.decide(
        (view) => readPicture(view, clusterId, view.nowMs),
        (now) =>
          now === undefined
            ? { reply: undefined, reason: 'cluster-gone', effects: [] }
            : decideRemovalResult(now, removal, result),
      )
      this.#log.info({ cluster: picture.cluster.name, ...removal, reason }, 'member removal')
    }
  }

  /** One line when the trouble with an endpoint changes, not one a round. */
  #noteTrouble(cluster: Cluster, name: string, message: string): void {
    if (this.#trouble.get(name) === message) return
    this.#trouble.set(name, message)
    this.#log.info({ cluster: cluster.name, endpoint: name, why: message }, 'health endpoint does not answer')
  }
}

/** Where the control-plane machines are: a leader at any of these addresses is the cluster's. */
function addressesOf(picture: ClusterPicture): readonly (readonly [string, Ipv4])[] {
  return picture.machines
    .filter((machine) => isControlPlane(machine.role))
    .flatMap((machine) => {
      const address = picture.addresses.get(machine.id)
      return address === undefined ? [] : [[machine.id, address] as const]
    })
}
