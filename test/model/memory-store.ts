import type { BootAttempt } from '../../src/model/boot-attempt.ts'
import type {
  Cluster,
  FleetHold,
  GatePass,
  JoinSlot,
  Member,
  QueueEntry,
  ServiceFounding,
} from '../../src/model/cluster.ts'
import { GATED_STEPS, type GatedStep, type StepRecord } from '../../src/model/first-boot.ts'
import type { Machine } from '../../src/model/machine.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { Effect } from '../../src/policy/effect.ts'
import type { BootToken } from '../../src/policy/first-boot/redeem-snapshot.ts'
import { carryOut } from '../../src/store/carry-out.ts'
import type { View } from '../../src/store/store.ts'
import type { Tables } from '../../src/store/tables/tables.ts'

interface Redeemed {
  readonly clusterId: string
  readonly epoch?: number
  readonly bootstrap: boolean
  readonly nonce: string
  readonly address: never
  readonly configSha: string
  readonly configText?: string
}

/** All rows, each replaced whole and never changed, so that a copy of the maps is a backup. */
export interface Rows {
  machines: Map<string, Machine>
  attempts: Map<string, BootAttempt>
  latest: Map<string, string>
  steps: Map<string, readonly StepRecord[]>
  tokens: Map<string, BootToken>
  redemptions: Map<string, Redeemed>
  cluster: Cluster
  members: Map<string, Member>
  services: Map<string, ServiceFounding>
  slots: Map<string, JoinSlot>
  queue: readonly QueueEntry[]
  passes: readonly GatePass[]
  secrets: Map<string, string>
  fleet: FleetHold | undefined
  arrivedSeq: number
}

/**
 * The store's stand-in for the model check: the same effects by the same `carryOut`, the same snapshots by the same
 * readers, over maps. What SQLite's constraints would refuse throws here too.
 */
export class MemoryStore {
  rows: Rows
  nowMs: number
  /** Grows with every change of the rows: what was read at one number is true as long as that stands. */
  version = 0
  readonly tables: Tables
  readonly view: View

  constructor(cluster: Cluster, machines: readonly Machine[], nowMs: number) {
    this.nowMs = nowMs
    this.rows = {
      machines: new Map(machines.map((machine) => [machine.id, machine])),
      attempts: new Map(),
      latest: new Map(),
      steps: new Map(),
      tokens: new Map(),
      redemptions: new Map(),
      cluster,
      members: new Map(),
      services: new Map(),
      slots: new Map(),
      queue: [],
      passes: [],
      secrets: new Map(),
      fleet: undefined,
      arrivedSeq: 0,
    }
    this.tables = tablesOver(this)
    const store = this
    this.view = {
      ...this.tables,
      serverId: 'server',
      key: { reportToken: (bootId: string) => `report-${bootId}` },
      get nowMs() {
        return store.nowMs
      },
      freshBytes: () => new Uint8Array(32),
    } as unknown as View
  }

  apply(decision: Decision<unknown>): void {
    for (const effect of decision.effects) this.applyOne(effect)
  }

  applyOne(effect: Effect): void {
    if (NOT_MODELLED.has(effect.kind)) return
    this.version += 1
    carryOut(this.tables, effect)
  }

  backup(): Rows {
    const { rows } = this
    return {
      ...rows,
      machines: new Map(rows.machines),
      attempts: new Map(rows.attempts),
      latest: new Map(rows.latest),
      steps: new Map(rows.steps),
      tokens: new Map(rows.tokens),
      redemptions: new Map(rows.redemptions),
      members: new Map(rows.members),
      services: new Map(rows.services),
      slots: new Map(rows.slots),
      secrets: new Map(rows.secrets),
    }
  }
}

/** Effects on tables that the model does not have: they carry no founding, no membership and no token. */
const NOT_MODELLED: ReadonlySet<string> = new Set([
  'append-event',
  'put-lease',
  'note-told',
  'forget-loader-sends',
  'note-identity',
  'pin-image',
])

function tablesOver(store: MemoryStore): Tables {
  const change = <Value extends object>(map: Map<string, Value>, key: string, by: Partial<Value>) => {
    const before = map.get(key)
    if (before === undefined) return
    const after = { ...before, ...by }
    for (const name in by) if (by[name] === undefined) delete after[name]
    map.set(key, after)
  }
  const machines = {
    byMac: (mac: string) => [...store.rows.machines.values()].find((machine) => machine.macs[0] === mac),
    byMacUncached: (mac: string) => machines.byMac(mac),
    byId: (id: string) => store.rows.machines.get(id),
    byName: (name: string) => [...store.rows.machines.values()].find((machine) => machine.name === name),
    ofCluster: () => [...store.rows.machines.values()],
    list: () => [...store.rows.machines.values()],
    setState: (id: string, state: Machine['state']) => change(store.rows.machines, id, { state }),
    arm: (id: string, armedUntilMs: number | undefined) =>
      change(store.rows.machines, id, { armedUntilMs } as Partial<Machine>),
    setCurrentBoot: (id: string, currentBootId: string) => change(store.rows.machines, id, { currentBootId }),
    noteIdentity: () => undefined,
    hold: (id: string, holdReason: never, holdStep: never) =>
      change(store.rows.machines, id, { holdReason, holdStep } as Partial<Machine>),
    acceptAs: (id: string, acceptedAs: NonNullable<Machine['acceptedAs']>) =>
      change(store.rows.machines, id, { acceptedAs }),
    delete: (id: string) => void store.rows.machines.delete(id),
  }
  const attempts = {
    byId: (bootId: string) => store.rows.attempts.get(bootId),
    latestOf: (id: string) => store.rows.attempts.get(store.rows.latest.get(id) ?? ''),
    ofMachine: (id: string) =>
      [...store.rows.attempts.values()].filter((boot) => boot.machineId === id).reverse(),
    steps: (bootId: string) => store.rows.steps.get(bootId) ?? [],
    begin: (attempt: BootAttempt) => {
      const before = attempts.latestOf(attempt.machineId)
      if (before !== undefined && before.status === 'tentative' && before.endedAtMs === undefined) {
        change(store.rows.attempts, before.bootId, { endedAtMs: attempt.startedAtMs, end: 'abandoned' })
      }
      store.rows.attempts.set(attempt.bootId, attempt)
      store.rows.latest.set(attempt.machineId, attempt.bootId)
    },
    end: (bootId: string, end: NonNullable<BootAttempt['end']>, endedAtMs: number) => {
      if (store.rows.attempts.get(bootId)?.endedAtMs === undefined) {
        change(store.rows.attempts, bootId, { end, endedAtMs })
      }
    },
    heard: (bootId: string, atMs: number) => change(store.rows.attempts, bootId, { heardAtMs: atMs }),
    reachStage: (bootId: string, stage: BootAttempt['stage']) =>
      change(store.rows.attempts, bootId, { stage }),
    makeCurrent: (bootId: string, machineId: string, atMs: number) => {
      const { endedAtMs: _at, end: _end, ...own } = store.rows.attempts.get(bootId) ?? ({} as BootAttempt)
      store.rows.attempts.set(bootId, { ...own, status: 'current', heardAtMs: atMs })
      for (const boot of store.rows.attempts.values()) {
        if (boot.machineId !== machineId || boot.bootId === bootId || boot.status === 'superseded') continue
        change(store.rows.attempts, boot.bootId, {
          status: 'superseded',
          endedAtMs: boot.endedAtMs ?? atMs,
          end: boot.end ?? 'superseded',
        })
      }
    },
    bindEpoch: (bootId: string, passEpoch: number) => change(store.rows.attempts, bootId, { passEpoch }),
    noteClock: (bootId: string, clockSkewMs: number) => change(store.rows.attempts, bootId, { clockSkewMs }),
    putStep: (record: StepRecord) => {
      const others = attempts.steps(record.bootId).filter((other) => other.step !== record.step)
      store.rows.steps.set(record.bootId, [...others, record])
    },
    boundElsewhere: (_cluster: string, epoch: number, machineId: string) =>
      [...store.rows.attempts.values()].filter(
        (boot) => boot.passEpoch === epoch && boot.machineId !== machineId && boot.status === 'current',
      ).length,
  }
  const redemptions = {
    token: (sha: string) => store.rows.tokens.get(sha),
    mint: (token: Omit<BootToken, 'isSpent' | 'isRevoked'> & { tokenSha256: string }) => {
      const { tokenSha256, bootId, machineId, address, expiresAtMs } = token
      const minted = { bootId, machineId, address, expiresAtMs, isSpent: false, isRevoked: false }
      store.rows.tokens.set(tokenSha256, minted)
    },
    redeem: (redemption: Redeemed & { bootId: string }, machineId: string, configText: string) => {
      const { bootId, ...rest } = redemption
      if (store.rows.redemptions.has(bootId)) throw new Error(`boot ${bootId} redeems twice`)
      const isTwice = [...store.rows.redemptions.values()].some(
        (other) => rest.bootstrap && other.bootstrap && other.epoch === rest.epoch,
      )
      if (isTwice) throw new Error(`two bootstraps in epoch ${rest.epoch}`)
      store.rows.redemptions.set(bootId, { ...rest, configSha: configText, configText })
      for (const [sha, token] of store.rows.tokens) {
        if (token.bootId === bootId) store.rows.tokens.set(sha, { ...token, isSpent: true })
        else if (token.machineId === machineId && !token.isSpent) {
          store.rows.tokens.set(sha, { ...token, isRevoked: true })
        }
      }
    },
    ofBoot: (bootId: string) => store.rows.redemptions.get(bootId),
    forgetConfig: (bootId: string) =>
      change(store.rows.redemptions, bootId, { configText: undefined } as unknown as Partial<Redeemed>),
    revokeOf: (machineId: string) => {
      for (const [sha, token] of store.rows.tokens) {
        if (token.machineId === machineId && !token.isSpent)
          store.rows.tokens.set(sha, { ...token, isRevoked: true })
      }
    },
  }
  const clusters = {
    byId: () => store.rows.cluster,
    byName: () => store.rows.cluster,
    putFounding: (_id: string, founding: Cluster['founding']) => {
      store.rows.cluster = { ...store.rows.cluster, founding }
    },
    putProbe: (_id: string, probe: Cluster['probe']) => {
      store.rows.cluster = { ...store.rows.cluster, probe }
    },
    put: (cluster: Omit<Cluster, 'founding' | 'probe'>) => {
      const { founding, probe } = store.rows.cluster
      store.rows.cluster = { ...cluster, founding, probe }
    },
  }
  const membership = {
    members: () => [...store.rows.members.values()],
    putMember: (member: Member) =>
      void store.rows.members.set(`${member.service} ${member.machineId} ${member.incarnation}`, member),
    serviceFoundings: () => [...store.rows.services.values()],
    putServiceFounding: (row: ServiceFounding) => void store.rows.services.set(row.service, row),
    slots: () => [...store.rows.slots.values()],
    slot: (clusterId: string, step: GatedStep): JoinSlot =>
      store.rows.slots.get(step) ?? { clusterId, step, state: 'free', slotNo: 0, failures: 0 },
    allSlots: (clusterId: string) => GATED_STEPS.map((step) => membership.slot(clusterId, step)),
    putSlot: (slot: JoinSlot) => void store.rows.slots.set(slot.step, slot),
    queue: (_cluster: string, step: GatedStep) => store.rows.queue.filter((entry) => entry.step === step),
    queueUp: (entry: Omit<QueueEntry, 'arrivedSeq'>) => {
      const own = store.rows.queue.find(
        (other) => other.step === entry.step && other.machineId === entry.machineId,
      )
      if (own === undefined) {
        store.rows.arrivedSeq += 1
        store.rows.queue = [...store.rows.queue, { ...entry, arrivedSeq: store.rows.arrivedSeq }]
      } else {
        store.rows.queue = store.rows.queue.map((other) => (other === own ? { ...own, ...entry } : other))
      }
    },
    leaveQueue: (_cluster: string, step: GatedStep, machineId: string) => {
      store.rows.queue = store.rows.queue.filter(
        (entry) => entry.step !== step || entry.machineId !== machineId,
      )
    },
    passes: (_cluster: string, step: GatedStep) => store.rows.passes.filter((pass) => pass.step === step),
    putPass: ({ clusterId, step, machineId, bootId }: GatePass) => {
      membership.dropPass(clusterId, step, machineId)
      store.rows.passes = [...store.rows.passes, { clusterId, step, machineId, bootId }]
    },
    dropPass: (_cluster: string, step: GatedStep, machineId: string) => {
      store.rows.passes = store.rows.passes.filter(
        (pass) => pass.step !== step || pass.machineId !== machineId,
      )
    },
  }
  return {
    machines,
    attempts,
    redemptions,
    clusters,
    membership,
    leases: { activeAt: (address: string) => leaseAt(store, address), put: () => undefined },
    secrets: {
      clusterSecret: (_cluster: string, name: string) => store.rows.secrets.get(name),
      // Credentials that an operator shows to services: no decision of the model reads them.
      dropServiceCredential: () => undefined,
      putClusterSecret: (_cluster: string, name: string, text: string) => {
        if (!store.rows.secrets.has(name)) store.rows.secrets.set(name, text)
      },
    },
    calls: {
      fleetHold: () => store.rows.fleet,
      putFleetHold: (hold: FleetHold | undefined) => {
        store.rows.fleet = hold
      },
    },
    events: { append: () => undefined },
    // No relay, and so no port of one.
    traces: { ofBoot: () => [] },
  } as unknown as Tables
}

/** In the model every machine keeps its address and its lease. */
function leaseAt(store: MemoryStore, address: string) {
  const machine = [...store.rows.machines.values()].find((candidate) => candidate.reservedAddress === address)
  return machine === undefined
    ? undefined
    : { mac: machine.macs[0], address, state: 'active', expiresAtMs: 1e15 }
}
