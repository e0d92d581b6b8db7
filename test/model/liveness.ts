import { isControlPlane } from '../../src/model/machine.ts'
import { leaderSeenWithin } from '../../src/policy/cluster/leaders.ts'
import { joinStepOf, RAFT_SERVICES } from '../../src/policy/cluster/picture.ts'
import { majorityOf } from '../../src/policy/cluster/quorum.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { GateReply } from '../../src/policy/first-boot/gate-snapshot.ts'
import { GONE_AFTER_MS } from '../../src/policy/first-boot/queue-order.ts'
import { raftServiceOf } from '../../src/policy/first-boot/raft-step.ts'
import type { Cause } from './invariants.ts'
import type { MemoryStore } from './memory-store.ts'
import type { SimulatedNode } from './node.ts'
import { Violation } from './violation.ts'

/** Rounds of a fair schedule in which an armed machine fetches, redeems and so founds (L1). */
const FOUNDING_ROUNDS = 3
/** Rounds in which a founder that runs asks its gate, founds and says so (L2). */
const FOUNDED_ROUNDS = 3
/**
 * Rounds for a machine that waits at a gate (L3): four before it, each of which may have gone silent in its slot (150 s
 * until that is suspect) and be removed by the next check.
 */
const PASSING_ROUNDS = 100

/**
 * L1 to L4 of founding.md §4, each by itself: what must come within a bound as long as its own premise holds, whatever
 * becomes of the cluster in the end (L7). L4 is judged at every probe, the others in a fair schedule only.
 */
export class Liveness {
  isFair = false
  readonly #since = new Map<string, number>()
  readonly #overtaken = new Map<string, number>()

  /** Before a unit is applied: what it means for those that wait. */
  check(store: MemoryStore, cause: Cause, decision: Decision<unknown>): void {
    if (this.isFair && cause.kind === 'gate') this.#countOvertaken(store, cause, decision)
  }

  /** After a round of the fair schedule. */
  endRound(store: MemoryStore, nodes: readonly SimulatedNode[]): void {
    const before = new Map(this.#since)
    this.#since.clear()
    const { founding } = store.rows.cluster
    for (const node of nodes) {
      this.#within('L1', FOUNDING_ROUNDS, before, node.id, couldFound(store, node))
      const isFounder = founding.holderMachineId === node.id && founding.holderBootId === node.bootId
      const isFounding = founding.state === 'granted' || founding.state === 'doubtful'
      const isAtWork = isFounder && isFounding && node.phase === 'steps' && !isHeld(store, node)
      this.#within('L2', FOUNDED_ROUNDS, before, node.bootId, isAtWork)
      const isWaiting = waitsUnderQuorum(store, node)
      this.#within('L3', PASSING_ROUNDS, before, `${node.bootId} ${node.step}`, isWaiting, node.lastShut)
    }
  }

  #within(
    rule: 'L1' | 'L2' | 'L3',
    rounds: number,
    before: ReadonlyMap<string, number>,
    subject: string,
    isDue: boolean,
    detail = '',
  ): void {
    if (!isDue) return
    const key = `${rule} ${subject}`
    const waited = (before.get(key) ?? 0) + 1
    if (waited > rounds)
      throw new Violation(rule, `${subject} ${SHOULD[rule]} for ${waited} rounds ${detail}`)
    this.#since.set(key, waited)
  }

  /** L3: nobody waits while two that came later, of its kind, are let in before it. */
  #countOvertaken(
    store: MemoryStore,
    cause: Extract<Cause, { kind: 'gate' }>,
    decision: Decision<unknown>,
  ): void {
    const reply = decision.reply as GateReply
    const { rows, nowMs } = store
    const { step } = cause.asked
    if (reply.kind !== 'open' || (reply.action !== 'join' && reply.action !== 'setup')) return
    const isGrant = decision.effects.some(
      (effect) => effect.kind === 'put-slot' && effect.slot.slotNo > (rows.slots.get(step)?.slotNo ?? 0),
    )
    if (!isGrant) return
    const queue = rows.queue.filter((entry) => entry.step === step)
    const own =
      queue.find((entry) => entry.machineId === cause.machineId)?.arrivedSeq ?? Number.POSITIVE_INFINITY
    const isVoter = (machineId: string) => isControlPlane(rows.machines.get(machineId)?.role ?? 'worker')
    for (const entry of queue) {
      const { machineId, bootId, arrivedSeq } = entry
      const silentMs = nowMs - (rows.attempts.get(bootId)?.heardAtMs ?? 0)
      if (machineId === cause.machineId || arrivedSeq > own || silentMs > GONE_AFTER_MS) continue
      if (isVoter(machineId) !== isVoter(cause.machineId)) continue
      const key = `${bootId} ${step}`
      const count = (this.#overtaken.get(key) ?? 0) + 1
      if (count > 1) throw new Violation('L3', `${machineId} is overtaken ${count} times at ${step}`)
      this.#overtaken.set(key, count)
    }
  }
}

const SHOULD = {
  L1: 'is armed, and does not found its open cluster',
  L2: 'founds, and its cluster is not founded',
  L3: 'waits under a leader with quorum',
} as const

/** L1's premise: an armed control-plane machine at its loader, an open cluster that it may found, and nothing there. */
function couldFound({ rows, nowMs }: MemoryStore, node: SimulatedNode): boolean {
  const { cluster, fleet } = rows
  const { state, reservedFor } = cluster.founding
  const machine = rows.machines.get(node.id)
  if (machine === undefined || !isControlPlane(machine.role) || machine.state === 'held') return false
  if (state !== 'open' || (reservedFor !== undefined && reservedFor !== node.id)) return false
  if (cluster.held || fleet !== undefined || leaderSeenWithin(cluster, 60_000, nowMs)) return false
  return (node.phase === 'loader' || node.phase === 'redeem') && (machine.armedUntilMs ?? 0) > nowMs
}

/** L3's premise: the boot that counts waits at a gate, nothing is held, and its service leads with quorum. */
function waitsUnderQuorum(store: MemoryStore, node: SimulatedNode): boolean {
  const { rows } = store
  const { step } = node
  if (rows.cluster.founding.state !== 'founded' || node.phase !== 'steps' || node.lastShut === '')
    return false
  if (step === undefined || isHeld(store, node)) return false
  if (rows.machines.get(node.id)?.currentBootId !== node.bootId) return false
  const services = raftServiceOf(step) === 'chainfire' ? (['chainfire'] as const) : RAFT_SERVICES
  return services.every((service) => rows.cluster.probe.groups?.[service]?.result === 'leader-quorum')
}

function isHeld({ rows }: MemoryStore, node: SimulatedNode): boolean {
  const machine = rows.machines.get(node.id)
  return (
    rows.cluster.held ||
    rows.fleet !== undefined ||
    machine?.state === 'held' ||
    machine?.holdStep !== undefined
  )
}

/**
 * L4: the check that sees a leader with quorum and its list leaves no join slot suspect: it is free, or the server's that
 * removes the dead joiner. Only a guard that lacks healthy voters, since some are to go down themselves, may put that off.
 */
export function checkSuspects({ rows }: MemoryStore, decision: Decision<unknown>): void {
  if (rows.cluster.founding.state !== 'founded' || rows.cluster.held) return
  const probe = decision.effects.find((effect) => effect.kind === 'put-probe')
  for (const service of RAFT_SERVICES) {
    const slot = rows.slots.get(joinStepOf(service))
    const facts = probe?.kind === 'put-probe' ? probe.probe.groups?.[service] : undefined
    if (slot?.state !== 'suspect' || slot.action !== 'join' || facts?.result !== 'leader-quorum') continue
    if (facts.listed === undefined || facts.differs) continue
    const after = decision.effects.findLast(
      (effect) => effect.kind === 'put-slot' && effect.slot.step === slot.step,
    )
    if (after?.kind === 'put-slot' && after.slot.state !== 'suspect') continue
    const staying = facts.healthyMachineIds.filter((machineId) => {
      const { state } = rows.machines.get(machineId) ?? {}
      const isGoing = state === 'armed' || state === 'booting' || state === 'held'
      return !isGoing && machineId !== slot.machineId
    })
    if (staying.length < majorityOf(facts.toldVoters ?? 0)) continue
    throw new Violation('L4', `${slot.step} stays suspect under a leader with quorum and a list`)
  }
}
