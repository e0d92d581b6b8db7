import type { FoundingState, JoinSlot, RaftService } from '../../src/model/cluster.ts'
import { FIRST_BOOT_STEPS } from '../../src/model/first-boot.ts'
import { joinStepOf, RAFT_SERVICES } from '../../src/policy/cluster/picture.ts'
import { majorityOf } from '../../src/policy/cluster/quorum.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { Effect } from '../../src/policy/effect.ts'
import type { GateReply } from '../../src/policy/first-boot/gate-snapshot.ts'
import { raftServiceOf } from '../../src/policy/first-boot/raft-step.ts'
import type { MemoryStore } from './memory-store.ts'
import type { Request } from './node.ts'
import { Violation } from './violation.ts'

/** What brought a unit about: invariants differ by it. */
export type Cause = Request | { readonly kind: 'tick' | 'probe' | 'removal' | 'restore' } | OperatorCause
export interface OperatorCause {
  readonly kind: 'operator'
  readonly call: string
  readonly isForced: boolean
}

const LEAVES: { readonly [State in FoundingState]: readonly FoundingState[] } = {
  open: ['granted', 'frozen', 'open', 'closed'],
  granted: ['granted', 'doubtful', 'founded', 'frozen', 'open', 'closed'],
  doubtful: ['granted', 'doubtful', 'founded', 'frozen', 'open', 'closed'],
  founded: ['founded', 'lost', 'frozen', 'open', 'closed'],
  lost: ['lost', 'founded', 'frozen', 'open', 'closed'],
  frozen: ['frozen', 'founded', 'open', 'closed'],
  closed: ['closed'],
}

/** Effects that write what `settle` looks at. */
const SETTLED: ReadonlySet<Effect['kind']> = new Set([
  'put-founding',
  'put-slot',
  'put-member',
  'make-attempt-current',
  'begin-attempt',
])

/** Watches every unit of one run: what it remembers is what no table may contradict later, a restored one least of all. */
export class Invariants {
  readonly #bootstraps = new Set<string>()
  readonly #told = new Map<string, string>()
  readonly #configs = new Map<string, string>()
  readonly #reported = new Set<string>()
  readonly #freshIds = new Map<string, string>()
  readonly #moved = new Set<string>()
  #highest = {
    epoch: 0,
    nextEpoch: 0,
    slots: new Map<string, number>(),
    incarnations: new Map<string, number>(),
  }

  /** Before its effects are applied: what the decision may do at all. */
  check(store: MemoryStore, cause: Cause, decision: Decision<unknown>): void {
    for (const effect of decision.effects) this.#checkEffect(store, cause, effect)
    if (cause.kind === 'gate') this.#checkGate(store, cause, decision as Decision<GateReply>)
    if (cause.kind === 'redeem') this.#checkRedeem(store, cause, decision)
    const isStale =
      (cause.kind === 'gate' && (decision.reply as GateReply).kind === 'stale') ||
      (cause.kind === 'report' && decision.reply === 'stale')
    if (isStale && decision.effects.length > 0) throw new Violation('I9', 'a stale request changes something')
    if (cause.kind === 'report') this.#checkStaleness(store, cause, decision)
    if (cause.kind === 'tick' || cause.kind === 'probe') checkPassive(store, cause.kind, decision.effects)
    this.#checkRemovals(store, cause, decision.effects)
  }

  /** After its effects: what the tables may say. Only rows that the unit wrote can have become wrong. */
  settle(store: MemoryStore, effects?: readonly Effect[]): void {
    if (effects?.every((effect) => !SETTLED.has(effect.kind))) return
    const { rows } = store
    const { founding } = rows.cluster
    const { epoch, nextEpoch } = founding
    if (epoch >= nextEpoch) throw new Violation('I2', `epoch ${epoch} is not below next_epoch ${nextEpoch}`)
    if (nextEpoch < this.#highest.nextEpoch) throw new Violation('I2', 'next_epoch fell')
    this.#highest.nextEpoch = nextEpoch
    for (const slot of rows.slots.values()) {
      if (slot.slotNo < (this.#highest.slots.get(slot.step) ?? 0)) throw new Violation('I2', 'slot_no fell')
      this.#highest.slots.set(slot.step, slot.slotNo)
    }
    for (const service of RAFT_SERVICES) this.#oneChange(store, service)
    const current = new Map<string, number>()
    for (const boot of rows.attempts.values()) {
      if (boot.status !== 'current') continue
      current.set(boot.machineId, (current.get(boot.machineId) ?? 0) + 1)
      if ((current.get(boot.machineId) ?? 0) > 1)
        throw new Violation('I8', `${boot.machineId} has two current boots`)
    }
  }

  /** An operator moved a founding: another machine may be told to found, in that epoch. */
  moved(service: string, epoch: number): void {
    this.#moved.add(`${service} ${epoch}`)
    this.#told.delete(`${service} ${epoch}`)
  }

  #checkEffect(store: MemoryStore, cause: Cause, effect: Effect): void {
    const { rows } = store
    switch (effect.kind) {
      case 'put-founding': {
        const before = rows.cluster.founding
        if (!LEAVES[before.state].includes(effect.founding.state)) {
          throw new Violation('I3', `${before.state} -> ${effect.founding.state}`)
        }
        const isReopened = before.state === 'founded' && effect.founding.state === 'open'
        if (isReopened && !(cause.kind === 'operator' && cause.call === 'refound')) {
          throw new Violation('I3', `founded -> open by ${cause.kind}`)
        }
        if (effect.founding.epoch < before.epoch) throw new Violation('I2', 'epoch fell')
        return
      }
      case 'redeem': {
        if (!effect.redemption.bootstrap) return
        const key = String(effect.redemption.epoch)
        if (this.#bootstraps.has(key)) throw new Violation('I1', `two bootstraps in epoch ${key}`)
        this.#bootstraps.add(key)
        return
      }
      case 'make-attempt-current':
        if (cause.kind !== 'redeem') throw new Violation('I8', `${cause.kind} makes a boot current`)
        return
      case 'put-step': {
        const before = rows.steps.get(effect.record.bootId)?.find((step) => step.step === effect.record.step)
        if (before?.state === 'succeeded')
          throw new Violation('I10', `${effect.record.step} leaves succeeded`)
        return
      }
      case 'append-event': {
        const secret = rows.secrets.get('iam-admin-password')
        const text = JSON.stringify(effect.event)
        if (secret !== undefined && text.includes(secret)) throw new Violation('I17', 'a secret in an event')
        if (text.includes('report-') || text.includes('token-'))
          throw new Violation('I17', 'a token in an event')
        return
      }
      default:
    }
  }

  #checkGate(
    store: MemoryStore,
    cause: Extract<Cause, { kind: 'gate' }>,
    decision: Decision<GateReply>,
  ): void {
    const { reply } = decision
    if (reply.kind !== 'open') return
    const { rows } = store
    const { cluster } = rows
    const { state, epoch } = cluster.founding
    const { step } = cause.asked
    const attempt = rows.attempts.get(cause.bootId)
    const steps = rows.steps.get(cause.bootId) ?? []
    const isOver = attempt?.status !== 'current'
    if (isOver) throw new Violation('I9', 'a gate opens for a boot that is not current')
    if (reply.action === 'skip') return
    const machine = rows.machines.get(cause.machineId)
    const isResume = reply.action === 'resume'
    if (state === 'lost' || state === 'closed' || (state === 'frozen' && !isResume)) {
      throw new Violation('I14', `${reply.action} in ${state}`)
    }
    const heldHere = cluster.held && reaches(cluster.holdStep, step)
    if (heldHere || machine?.state === 'held') throw new Violation('I14', `${reply.action} while held`)
    for (const earlier of FIRST_BOOT_STEPS.slice(0, FIRST_BOOT_STEPS.indexOf(step))) {
      const isPast = steps.some((record) => record.step === earlier && record.state === 'succeeded')
      if (!isPast) throw new Violation('I10', `${step} passes before ${earlier}`)
    }
    const service = raftServiceOf(step)
    if (service === undefined) return
    if (reply.action === 'join') {
      const isFounded =
        service === 'chainfire' ? state === 'founded' : rows.services.get('flaredb')?.state === 'done'
      if (!isFounded) throw new Violation('I4', `${service} is joined before it is founded`)
    }
    if (reply.action === 'found') {
      const key = `${service} ${epoch}`
      const before = this.#told.get(key)
      if (before !== undefined && before !== cause.machineId) {
        throw new Violation(
          'I5',
          `${service} is founded by ${before} and ${cause.machineId} in epoch ${epoch}`,
        )
      }
      this.#told.set(key, cause.machineId)
    }
    const [clusterId, , memberId] = cause.asked.marker.split(':')
    if (isResume && (cause.asked.marker === '' || clusterId !== cluster.id || reply.memberId === undefined)) {
      throw new Violation('I13', 'resume without data')
    }
    if (isResume && memberId !== undefined && !memberId.startsWith(`${machine?.name}.`)) {
      throw new Violation('I13', "resume with another's data")
    }
    if (reply.action === 'found' || reply.action === 'join')
      this.#checkFreshId(cause, reply, service, memberId)
  }

  /** A member id goes with one life of data: told to a boot without it, it must be new to the service. */
  #checkFreshId(
    cause: Extract<Cause, { kind: 'gate' }>,
    reply: Extract<GateReply, { kind: 'open' }>,
    service: RaftService,
    marked: string | undefined,
  ): void {
    if (reply.memberId === null) throw new Violation('I13', `${reply.action} without a member id`)
    const key = `${service} ${reply.memberId}`
    const before = this.#freshIds.get(key)
    if (before !== undefined && before !== cause.bootId && marked !== reply.memberId) {
      throw new Violation('I13', `${reply.memberId} is given twice for fresh data in ${service}`)
    }
    this.#freshIds.set(key, cause.bootId)
  }

  #checkRedeem(
    store: MemoryStore,
    cause: Extract<Cause, { kind: 'redeem' }>,
    decision: Decision<unknown>,
  ): void {
    const reply = decision.reply as { readonly kind: string; readonly text?: string }
    if (reply.kind !== 'config' || reply.text === undefined) return
    const bootId = store.rows.tokens.get(`sha ${cause.token}`)?.bootId ?? ''
    const before = this.#configs.get(bootId)
    if (before !== undefined && before !== reply.text)
      throw new Violation('I7', 'two configurations in one boot')
    if (this.#reported.has(bootId)) throw new Violation('I7', 'a configuration after the first report')
    this.#configs.set(bootId, reply.text)
  }

  #checkStaleness(
    store: MemoryStore,
    cause: Extract<Cause, { kind: 'report' }>,
    decision: Decision<unknown>,
  ): void {
    if (decision.reply !== 'recorded' && decision.reply !== 'known') return
    const machine = store.rows.machines.get(cause.machineId)
    if (machine?.currentBootId !== cause.bootId) throw new Violation('I9', 'a report of an old boot is taken')
    if (decision.reply === 'recorded') this.#reported.add(cause.bootId)
  }

  /** I11: what takes a voter out passes the guard, counted here once more from the tables. */
  #checkRemovals(store: MemoryStore, cause: Cause, effects: readonly Effect[]): void {
    if (cause.kind === 'operator' && cause.isForced) return
    const { cluster } = store.rows
    for (const effect of effects) {
      if (effect.kind !== 'put-member' || effect.member.state !== 'removing' || !effect.member.voter) continue
      const { service, machineId, epoch } = effect.member
      const key = `${service} ${machineId} ${effect.member.incarnation}`
      if (store.rows.members.get(key)?.state === 'removing') continue
      const probe = effects.find((other) => other.kind === 'put-probe')
      const facts = (probe?.kind === 'put-probe' ? probe.probe : cluster.probe).groups?.[service]
      const rows = [...store.rows.members.values()].filter(
        (row) => row.service === service && row.epoch === epoch && row.voter && row.state !== 'removed',
      )
      const voters = Math.max(rows.length, facts?.toldVoters ?? 0)
      const up = rows.filter(
        (row) =>
          row.machineId !== machineId &&
          row.state === 'member' &&
          facts !== undefined &&
          store.nowMs - facts.atMs <= 10_000 &&
          facts.healthyMachineIds.includes(row.machineId) &&
          !['armed', 'booting', 'held'].includes(store.rows.machines.get(row.machineId)?.state ?? ''),
      ).length
      const least = cause.kind === 'operator' ? majorityOf(voters - 1) : majorityOf(voters)
      if (up < least)
        throw new Violation('I11', `${service}: ${up} of ${voters} voters stay, ${least} are needed`)
    }
  }

  /** I6: one change of a group's membership at a time, a removal included. */
  #oneChange(store: MemoryStore, service: RaftService): void {
    const { rows } = store
    const { epoch } = rows.cluster.founding
    const slot: JoinSlot | undefined = rows.slots.get(joinStepOf(service))
    const moving = [...rows.members.values()].filter(
      (row) =>
        row.service === service &&
        row.epoch === epoch &&
        row.voter &&
        // Who says that it is in changes nothing any more: the list is only asked about it (S13).
        ((row.state === 'joining' && row.confirmedBy === undefined) || row.state === 'removing'),
    )
    if (moving.length > 1) {
      throw new Violation(
        'I6',
        `${service} changes ${moving.map((row) => row.memberId).join(' and ')} at once`,
      )
    }
    const [row] = moving
    if (
      row !== undefined &&
      (slot === undefined || slot.state === 'free' || slot.memberId !== row.memberId)
    ) {
      throw new Violation('I6', `${row.memberId} is ${row.state} in ${service} without the slot`)
    }
  }
}

/** I16 and I12: time and answers alone grant, found and move nothing; no answer frees nothing. */
function checkPassive(store: MemoryStore, kind: 'tick' | 'probe', effects: readonly Effect[]): void {
  const { cluster, slots } = store.rows
  const probe = effects.find((effect) => effect.kind === 'put-probe')
  const facts = probe?.kind === 'put-probe' ? probe.probe.groups : undefined
  for (const effect of effects) {
    if (effect.kind === 'put-founding') {
      const { state, epoch } = effect.founding
      const before = cluster.founding
      const isKnown =
        state === 'doubtful' ||
        state === 'lost' ||
        state === 'frozen' ||
        (state === 'granted' && before.state === 'doubtful' && epoch === before.epoch) ||
        (state === 'founded' && (before.state === 'lost' || before.state === 'frozen'))
      if (!isKnown) throw new Violation('I16', `a ${kind} makes ${before.state} ${state}`)
    }
    const wasHeld = effect.kind === 'put-slot' && slots.get(effect.slot.step)?.state === 'held'
    if (effect.kind === 'put-slot' && effect.slot.state === 'held' && !wasHeld)
      throw new Violation('I16', `a ${kind} grants a slot`)
    if (effect.kind === 'arm-machine') throw new Violation('I16', `a ${kind} arms a machine`)
    const isFreed =
      effect.kind === 'put-slot' &&
      (effect.slot.state === 'free' || effect.slot.state === 'server') &&
      (slots.get(effect.slot.step)?.state ?? 'free') !== effect.slot.state
    if (effect.kind === 'put-slot' && isFreed) {
      const service = effect.slot.step === 'chainfire-cluster-join' ? 'chainfire' : 'flaredb'
      if (kind === 'tick' || facts?.[service]?.result !== 'leader-quorum') {
        throw new Violation('I12', `a ${kind} without a leader frees ${effect.slot.step}`)
      }
    }
  }
}

function reaches(holdStep: string | undefined, step: string): boolean {
  const order: readonly string[] = FIRST_BOOT_STEPS
  return holdStep === undefined || order.indexOf(step) >= order.indexOf(holdStep)
}
