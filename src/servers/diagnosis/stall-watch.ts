import { statfs } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { decideStall } from '../../policy/diagnosis/decide-stall.ts'
import { type Diagnosis, diagnose } from '../../policy/diagnosis/diagnose.ts'
import { healthWanted } from '../../policy/diagnosis/health-wanted.ts'
import type { StallLimits } from '../../policy/diagnosis/limits.ts'
import { situationOf } from '../../policy/diagnosis/situation.ts'
import type { HealthSeen, ServerCondition } from '../../policy/diagnosis/snapshot.ts'
import {
  type DiagnosisSurroundings,
  readDiagnosisSnapshot,
  readSituationSnapshot,
} from '../../store/snapshots/diagnosis.ts'
import type { Store } from '../../store/store.ts'
import { clusterAccess } from '../cluster-access.ts'
import { HealthLooker } from './health-looker.ts'

const TICK_MS = 5_000
const PAGE = 200
/** One line and one event for so many new stalls a tick at most: a hall without power is one fact, not thousands. */
const MOST_A_TICK = 50

export interface StallWatchOptions {
  readonly store: Store
  readonly log: Logger
  readonly limits: StallLimits
  readonly dataDir: string
}

/** Looks every five seconds for machines that do not move on, tells of each once a stage, and diagnoses on request. */
export class StallWatch {
  readonly #options: StallWatchOptions
  readonly #looker: HealthLooker
  readonly #servingSinceMs: number
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(options: StallWatchOptions) {
    this.#options = options
    this.#servingSinceMs = options.store.nowMs()
    this.#looker = new HealthLooker(() => options.store.nowMs())
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.#tick()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'stall watch failed'))
        .finally(() => {
          if (!this.#isStopped) this.start()
        })
    }, TICK_MS)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#round
  }

  /** Where a machine stands and why, as of now; changes nothing. */
  async diagnose(machine: Machine): Promise<Diagnosis> {
    const surroundings = await this.#surroundings()
    const snapshot = readDiagnosisSnapshot(this.#options.store.lists, machine, surroundings)
    const health = await this.#look(snapshot.cluster, healthWanted(snapshot))
    return diagnose({ ...snapshot, health })
  }

  async #tick(): Promise<void> {
    const { store } = this.#options
    const server = await this.#serverCondition()
    let told = 0
    let after = ''
    for (;;) {
      const page = store.lists.attempts.open(after, PAGE)
      for (const machineId of new Set(page.map((attempt) => attempt.machineId))) {
        if (this.#isStopped || told >= MOST_A_TICK) return
        if (await this.#tell(machineId, server)) told += 1
      }
      const last = page.at(-1)
      if (page.length < PAGE || last === undefined) return
      after = last.machineId
    }
  }

  /** True when a stall was told. The rows that the decision uses are read with it; only what services say is older. */
  async #tell(machineId: string, server: ServerCondition): Promise<boolean> {
    const { store, log } = this.#options
    const machine = store.lists.machines.byId(machineId)
    if (machine === undefined) return false
    const glance = readSituationSnapshot(store.lists, machine, this.#around(server))
    const { standing, stage } = situationOf(glance)
    const row = glance.records?.stages.find((candidate) => candidate.stage === stage)
    if (standing !== 'stalled' || row?.stalledAtMs !== undefined) return false
    const before = readDiagnosisSnapshot(store.lists, machine, this.#around(server))
    const health = await this.#look(before.cluster, healthWanted(before))
    const decision = await store.decide(
      (view) => {
        const now = view.machines.byId(machineId)
        return now === undefined
          ? undefined
          : readDiagnosisSnapshot(view, now, { ...this.#around(server), nowMs: view.nowMs, health })
      },
      (snapshot) =>
        snapshot === undefined
          ? { reply: undefined, reason: 'machine-gone', effects: [] }
          : decideStall(snapshot),
    )
    const [first] = decision.reply?.findings ?? []
    if (decision.effects.length > 0)
      log.warn(
        { machine: machine.name, stage, cause: first?.code, evidence: first?.evidence },
        'machine does not move on',
      )
    return decision.effects.length > 0
  }

  #look(
    cluster: Cluster | undefined,
    wanted: ReturnType<typeof healthWanted>,
  ): Promise<readonly HealthSeen[]> {
    const access = cluster === undefined ? undefined : clusterAccess(this.#options.store, cluster)
    return this.#looker.look(access, wanted)
  }

  async #surroundings(): Promise<DiagnosisSurroundings> {
    return this.#around(await this.#serverCondition())
  }

  #around(server: ServerCondition): DiagnosisSurroundings {
    const { store, limits } = this.#options
    return { nowMs: store.nowMs(), limits, health: [], server, servingSinceMs: this.#servingSinceMs }
  }

  async #serverCondition(): Promise<ServerCondition> {
    try {
      const { bavail, bsize } = await statfs(this.#options.dataDir)
      return { diskFreeBytes: bavail * bsize }
    } catch {
      return {}
    }
  }
}
