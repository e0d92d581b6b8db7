import type { RaftService } from '../../src/model/cluster.ts'
import type { FirstBootStep, GatedStep, Report } from '../../src/model/first-boot.ts'
import { FIRST_BOOT_STEPS } from '../../src/model/first-boot.ts'
import type { GateReply, GateRequest } from '../../src/policy/first-boot/gate-snapshot.ts'
import { raftServiceOf } from '../../src/policy/first-boot/raft-step.ts'
import type { ReportReply } from '../../src/policy/first-boot/report-snapshot.ts'
import type { DataHolder, RaftTruth } from './raft-truth.ts'

/** Where a simulated machine stands between power and ready. */
export type Phase =
  | 'off'
  | 'loader' // asks for its script
  | 'redeem' // booted, asks for its configuration
  | 'steps' // runs its first-boot steps
  | 'done'
  | 'gave-up' // its token was refused for good
  | 'stale' // was told 409
  | 'foreign-data' // its disk holds data that its configuration does not name

/** What a node asks the server; the network may lose it, repeat it, or lose the answer. */
export type Request =
  | { readonly kind: 'script'; readonly machineId: string }
  | { readonly kind: 'redeem'; readonly machineId: string; readonly token: string; readonly nonce: string }
  | {
      readonly kind: 'gate'
      readonly machineId: string
      readonly bootId: string
      readonly asked: GateRequest
    }
  | { readonly kind: 'report'; readonly machineId: string; readonly bootId: string; readonly report: Report }

export interface NodeConfig {
  readonly cluster_id: string
  readonly bootstrap: boolean
  readonly bootstrap_epoch: number
  readonly keep_data_by_service: { readonly chainfire: string | null; readonly flaredb: string | null }
  readonly provisioning: { readonly boot_id: string }
}

/** A machine as it runs the first-boot scripts: what it asks next depends on what it was told. */
export class SimulatedNode implements DataHolder {
  readonly id: string
  readonly name: string
  readonly isPersistent: boolean
  /** What its own service says of itself. */
  role: (service: RaftService) => string = () => 'follower'
  phase: Phase = 'off'
  isUp = false
  data: DataHolder['data'] = {}
  token = ''
  nonce = ''
  bootId = ''
  #boots = 0
  #step = 0
  #pass: Extract<GateReply, { kind: 'open' }> | undefined
  #hasDone = false
  #waits = 0
  #sequence = 0
  #report: Report | undefined
  lastShut = ''
  /** The word for why it is parked, as its console shows it. */
  parkedFor = ''

  constructor(id: string, name: string, isPersistent: boolean) {
    this.id = id
    this.name = name
    this.isPersistent = isPersistent
  }

  get step(): FirstBootStep | undefined {
    return FIRST_BOOT_STEPS[this.#step]
  }

  powerOff(): void {
    this.phase = 'off'
    this.isUp = false
    if (!this.isPersistent) this.data = {}
  }

  powerOn(): void {
    if (this.phase !== 'off') return
    this.phase = 'loader'
    this.#boots += 1
    this.nonce = `${this.id}-${this.#boots}`
    this.#step = 0
    this.#pass = undefined
    this.#hasDone = false
    this.#sequence = 0
    this.#report = undefined
    this.lastShut = ''
    this.parkedFor = ''
  }

  /** What it would ask now; undefined: nothing (off, done, or it has something to do by itself). */
  nextRequest(clusterId: string): Request | undefined {
    switch (this.phase) {
      case 'loader':
        return { kind: 'script', machineId: this.id }
      case 'redeem':
        return { kind: 'redeem', machineId: this.id, token: this.token, nonce: this.nonce }
      case 'steps': {
        if (this.#report !== undefined) {
          return { kind: 'report', machineId: this.id, bootId: this.bootId, report: this.#report }
        }
        const { step } = this
        if (step === undefined || this.#pass !== undefined) return undefined
        if (step === 'cluster-health-check') return undefined
        const service = raftServiceOf(step)
        const marker = service === undefined ? '' : (this.data[service]?.marker ?? '')
        return {
          kind: 'gate',
          machineId: this.id,
          bootId: this.bootId,
          asked: { step: step as GatedStep, marker },
        }
      }
      default:
        return clusterId === '' ? undefined : undefined
    }
  }

  /** The configuration came: the disk is checked before the services start. */
  configured(config: NodeConfig): void {
    this.bootId = config.provisioning.boot_id
    this.phase = 'steps'
    for (const service of ['chainfire', 'flaredb'] as const) {
      const data = this.data[service]
      if (data === undefined) continue
      const keep = config.keep_data_by_service[service]
      const [clusterId, epoch, memberId] = data.marker.split(':')
      const isOwn = clusterId === config.cluster_id && memberId?.startsWith(`${this.name}.`) === true
      if (isOwn && (keep === 'any' || keep === memberId)) continue
      if (isOwn && Number(epoch) <= config.bootstrap_epoch) {
        delete this.data[service]
        continue
      }
      this.phase = 'foreign-data'
      return
    }
    this.isUp = true
  }

  gateAnswered(reply: GateReply | 'unknown'): void {
    if (reply === 'unknown') {
      this.lastShut = 'unknown-boot'
      return
    }
    switch (reply.kind) {
      case 'open':
        this.#pass = reply
        this.#hasDone = false
        this.lastShut = ''
        return
      case 'shut':
        this.lastShut = reply.reason
        return
      case 'stale':
        this.phase = 'stale'
    }
  }

  reportAnswered(reply: ReportReply | 'unknown'): void {
    if (reply === 'unknown') {
      // It keeps its report and sends it again.
      this.lastShut = 'unknown-boot'
      return
    }
    if (reply === 'stale') {
      this.phase = 'stale'
      return
    }
    const ended = this.#report
    this.#report = undefined
    if (ended?.state !== 'succeeded') return
    this.#step += 1
    this.#pass = undefined
    this.#hasDone = false
    if (this.#step >= FIRST_BOOT_STEPS.length) this.phase = 'done'
  }

  /** Does what the gate said. `ack` false: the service did it and the node never heard. Returns what happened. */
  act(
    truth: RaftTruth,
    holders: readonly DataHolder[],
    addressOf: (id: string) => string,
    ack: boolean,
  ): string {
    const { step } = this
    if (this.phase !== 'steps' || this.#report !== undefined || step === undefined) return 'nothing to do'
    if (step === 'cluster-health-check') {
      const isWell =
        truth.groupOf(this, 'chainfire') !== undefined && truth.groupOf(this, 'flaredb') !== undefined
      if (isWell) this.#queue('succeeded')
      return isWell ? 'healthy' : 'not healthy'
    }
    const pass = this.#pass
    if (pass === undefined) return 'no pass'
    const service = raftServiceOf(step)
    if (service === undefined || pass.action === 'skip') {
      this.#queue('succeeded', pass)
      return pass.action
    }
    if (pass.action === 'set-aside') {
      delete this.data[service]
      this.#pass = undefined
      return 'set aside'
    }
    if (!this.#hasDone && !this.#change(truth, holders, addressOf, service, pass, ack)) {
      // Asks the gate again: the leader may be another one by now.
      this.#pass = undefined
      return `${pass.action} did not get through`
    }
    this.#hasDone = true
    if (truth.groupOf(this, service) === undefined) {
      // The script waits two minutes for its service to be a member, then fails and asks the gate again.
      this.#waits += 1
      if (this.#waits >= 8) this.fail(false)
      return 'not a member yet'
    }
    this.#waits = 0
    this.#queue('succeeded', pass)
    return pass.action
  }

  /** The step fails: before anything was sent, or in a way that leaves it open. */
  fail(isUnsent: boolean): boolean {
    if (this.phase !== 'steps' || this.#report !== undefined || this.step === undefined) return false
    this.#queue(
      'failed',
      this.#pass,
      isUnsent && !this.#hasDone ? 'nothing was sent: no route' : 'answered 500',
    )
    this.#pass = undefined
    this.#waits = 0
    return true
  }

  #change(
    truth: RaftTruth,
    holders: readonly DataHolder[],
    addressOf: (id: string) => string,
    service: RaftService,
    pass: Extract<GateReply, { kind: 'open' }>,
    ack: boolean,
  ): boolean {
    if (pass.action === 'resume') return this.data[service] !== undefined
    const memberId = pass.memberId ?? ''
    const held = this.data[service]
    // The marker stands before the call: a crash after it leaves data that says whose it is.
    const marker = `c1:${pass.epoch}:${memberId}`
    if (pass.action === 'found') {
      if (held?.groupId === undefined || held.memberId !== memberId) {
        const group = truth.found(service, this.id, memberId)
        this.data[service] = { marker, groupId: group.id, memberId }
      }
      return ack
    }
    if (held?.memberId !== memberId) this.data[service] = { marker }
    const leader = holders.find((holder) => addressOf(holder.id) === addressInUrl(pass.leaderUrl))
    const group = leader === undefined ? undefined : truth.groupOf(leader, service)
    if (group === undefined || truth.leader(group, holders) !== leader) return false
    if (!group.members.has(memberId)) group.members.set(memberId, { machineId: this.id, voter: pass.voter })
    this.data[service] = { marker, groupId: group.id, memberId }
    return ack
  }

  #queue(state: 'succeeded' | 'failed', pass?: Extract<GateReply, { kind: 'open' }>, reason = ''): void {
    this.#sequence += 1
    const service = this.step === undefined ? undefined : raftServiceOf(this.step)
    this.#report = {
      step: this.step ?? 'cluster-health-check',
      sequence: this.#sequence,
      state,
      reason,
      facts: service === undefined || state === 'failed' ? {} : { raft: this.role(service) },
      ...(pass === undefined ? {} : { slotNo: pass.slotNo, epoch: pass.epoch }),
    }
  }
}

function addressInUrl(url: string | null): string {
  return url === null ? '' : new URL(url).hostname
}
