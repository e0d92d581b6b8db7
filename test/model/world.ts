import type { Cluster, RaftService } from '../../src/model/cluster.ts'
import type { Machine } from '../../src/model/machine.ts'
import { parseIpv4 } from '../../src/net/ipv4.ts'
import { parseMac } from '../../src/net/mac.ts'
import { decideScript, type ScriptReply } from '../../src/policy/boot/decide-script.ts'
import { decideProbe, type ProbeRound, tablesOf } from '../../src/policy/cluster/decide-probe.ts'
import { decideTick } from '../../src/policy/cluster/decide-tick.ts'
import { decideFreeze } from '../../src/policy/cluster/decide-unfreeze.ts'
import type { GroupRound, HealthAnswer } from '../../src/policy/cluster/judge-round.ts'
import { type ClusterPicture, joinStepOf, RAFT_SERVICES } from '../../src/policy/cluster/picture.ts'
import { decideRemovalResult, nextTryAtMs, type RemovalResult } from '../../src/policy/cluster/removal.ts'
import type { Decision } from '../../src/policy/decision.ts'
import { decideGate } from '../../src/policy/first-boot/decide-gate.ts'
import { decideRedeem } from '../../src/policy/first-boot/decide-redeem.ts'
import { decideReport } from '../../src/policy/first-boot/decide-report.ts'
import { decideClosed, decideUnknownBoot } from '../../src/policy/first-boot/decide-unknown-boot.ts'
import type { GateReply } from '../../src/policy/first-boot/gate-snapshot.ts'
import type { RedeemReply } from '../../src/policy/first-boot/redeem-snapshot.ts'
import type { ReportReply } from '../../src/policy/first-boot/report-snapshot.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../src/policy/image/preflight.ts'
import { readGateSnapshot } from '../../src/store/snapshots/gate.ts'
import { readPicture } from '../../src/store/snapshots/picture.ts'
import { readRedeemSnapshot } from '../../src/store/snapshots/redeem.ts'
import { readReportSnapshot } from '../../src/store/snapshots/report.ts'
import { anImage } from '../support/builders.ts'
import { type Cause, Invariants } from './invariants.ts'
import { checkSuspects, Liveness } from './liveness.ts'
import { MemoryStore, type Rows } from './memory-store.ts'
import { type NodeConfig, type Request, SimulatedNode } from './node.ts'
import { RaftTruth } from './raft-truth.ts'
import type { Random } from './random.ts'
import { Violation } from './violation.ts'

const START_MS = 1_800_000_000_000
export const IMAGE = anImage()
/** Of machines 1 to 5, parsed once. */
const ADDRESSES = new Map(
  [1, 2, 3, 4, 5].map((number) => [addressNo(number) as string, addressNo(number)] as const),
)

/** What differs from one run's rack to another's. */
export interface Setting {
  readonly controlPlane: number
  readonly workers: number
  readonly isPersistent: boolean
  readonly hasList: boolean
  /** False: the cluster names no CA, so the server asks nobody. */
  readonly hasProbe: boolean
  readonly rearm: 'same-identity' | 'manual'
}

/** What may go wrong around one unit. `before`: the server dies before COMMIT; `after`: the answer is lost. */
export type Fault = 'none' | 'before' | 'after'

/** One rack: five machines, their true Raft groups, and the real decisions over a store in memory. */
export class World {
  readonly setting: Setting
  readonly store: MemoryStore
  readonly truth = new RaftTruth()
  readonly nodes: readonly SimulatedNode[]
  readonly invariants = new Invariants()
  readonly liveness = new Liveness()
  readonly asked: Request[] = []
  units = 0
  backup: Rows | undefined
  pendingRound: ProbeRound | undefined
  #tokens = 0
  #picture: ClusterPicture | undefined
  #pictureVersion = -1

  constructor(setting: Setting) {
    this.setting = setting
    const count = setting.controlPlane + setting.workers
    const machines = Array.from({ length: count }, (_, index) => machineNo(index + 1, setting))
    this.store = new MemoryStore(clusterOf(setting), machines, START_MS)
    this.nodes = machines.map((machine) => new SimulatedNode(machine.id, machine.name, setting.isPersistent))
    for (const node of this.nodes) {
      node.role = (service) => {
        const group = this.truth.groupOf(node, service)
        return group !== undefined && this.truth.leader(group, this.nodes) === node ? 'leader' : 'follower'
      }
    }
  }

  node(machineId: string): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.id === machineId)
    if (node === undefined) throw new Error(`no node ${machineId}`)
    return node
  }

  picture(): ClusterPicture {
    const { version, nowMs } = this.store
    if (this.#picture !== undefined && this.#pictureVersion === version) {
      return this.#picture.nowMs === nowMs ? this.#picture : { ...this.#picture, nowMs }
    }
    const picture = readPicture(this.store.tables, 'c1', nowMs)
    if (picture === undefined) throw new Error('the cluster is gone')
    this.#picture = picture
    this.#pictureVersion = version
    return picture
  }

  /** One unit: decided, watched, applied unless the server dies first. Undefined: nobody hears the answer. */
  unit<Reply>(cause: Cause, decide: () => Decision<Reply>, fault: Fault = 'none'): Reply | undefined {
    this.units += 1
    const decision = decide()
    // Dead before COMMIT: nothing of it is on the disk, and nobody was told.
    if (fault === 'before') {
      this.restartServer()
      return undefined
    }
    this.invariants.check(this.store, cause, decision)
    this.liveness.check(this.store, cause, decision)
    this.store.apply(decision)
    this.invariants.settle(this.store, decision.effects)
    this.#checkTruth()
    if (fault === 'after') return undefined
    return decision.reply
  }

  /** F14: what was down is nobody's silence. */
  restartServer(): void {
    const { rows, nowMs } = this.store
    this.store.version += 1
    for (const [bootId, boot] of rows.attempts) {
      if (boot.endedAtMs === undefined) rows.attempts.set(bootId, { ...boot, heardAtMs: nowMs })
    }
    for (const [step, slot] of rows.slots) {
      if (slot.state === 'held' || slot.state === 'server')
        rows.slots.set(step, { ...slot, heardAtMs: nowMs })
    }
    const { probe } = rows.cluster
    rows.cluster = { ...rows.cluster, probe: { ...probe, leaderSeenAtMs: nowMs } }
    this.pendingRound = undefined
  }

  /** An older state of the tables comes back, and the cluster freezes. */
  restore(): void {
    // Where nobody can be asked, a restore is for an operator who looks himself.
    if (this.backup === undefined || !this.setting.hasProbe) return
    this.store.rows = this.backup
    this.store.version += 1
    this.backup = undefined
    this.pendingRound = undefined
    const decision = decideFreeze(this.picture(), 'restore')
    this.store.apply(decision)
    this.units += 1
    this.invariants.settle(this.store)
  }

  /** Carries a request to the server, with the fault that befalls it, and the answer back to its machine. */
  send(request: Request, fault: Fault, isRepeat = false): string {
    if (!isRepeat && this.asked.length < 40) this.asked.push(request)
    const node = this.node(request.machineId)
    switch (request.kind) {
      case 'script': {
        this.#tokens += 1
        const token = `token-${this.#tokens}`
        let reason = ''
        const decide = () => {
          const decision = this.#script(request.machineId, token)
          reason = decision.reason
          return decision
        }
        const reply = this.unit(request, decide, fault)
        if (reply?.kind === 'script' && reply.bootId !== undefined && !isRepeat) {
          node.token = token
          node.phase = 'redeem'
        } else if (reply?.kind === 'script' && !isRepeat) node.parkedFor = reason
        return reply === undefined ? 'lost' : node.phase
      }
      case 'redeem': {
        const reply = this.unit(request, () => this.#redeem(request), fault)
        if (reply === undefined || isRepeat || node.phase !== 'redeem' || node.token !== request.token)
          return 'lost'
        if (reply.kind === 'config') node.configured(JSON.parse(reply.text) as NodeConfig)
        if (reply.kind === 'refused') node.phase = 'gave-up'
        return reply.kind
      }
      case 'gate': {
        const reply = this.unit(request, () => this.#gate(request), fault)
        const isItsOwn = node.phase === 'steps' && node.bootId === request.bootId
        if (reply === undefined || isRepeat || !isItsOwn) return 'lost'
        node.gateAnswered(reply)
        if (reply === 'unknown') return reply
        return reply.kind === 'open' ? `open ${reply.action}` : `${reply.kind} ${reply.reason}`
      }
      case 'report': {
        const reply = this.unit(request, () => this.#report(request), fault)
        const isItsOwn = node.phase === 'steps' && node.bootId === request.bootId
        if (reply === undefined || isRepeat || !isItsOwn) return 'lost'
        node.reportAnswered(reply)
        return reply
      }
    }
  }

  /** Asks the machines that are reachable, and notes what the tables said before. */
  beginRound(isReachable: (machineId: string) => boolean): ProbeRound {
    return {
      tablesBefore: tablesOf(this.picture()),
      chainfire: this.#groupRound('chainfire', isReachable),
      flaredb: this.#groupRound('flaredb', isReachable),
    }
  }

  endRound(round: ProbeRound, fault: Fault = 'none'): void {
    if (!this.setting.hasProbe) return
    const decide = () => {
      const picture = this.picture()
      const decision = decideProbe(picture, round)
      const isSuspect = picture.slots.some((slot) => slot.state === 'suspect')
      // What the tables came to since the round began is not judged by its answers.
      if (isSuspect && tablesOf(picture) === round.tablesBefore) checkSuspects(this.store, decision)
      return decision
    }
    this.unit({ kind: 'probe' }, decide, fault)
  }

  tick(fault: Fault = 'none'): void {
    this.unit({ kind: 'tick' }, () => decideTick(this.picture()), fault)
  }

  /** The server's removals: the call, then its result as a unit of its own; either may be lost. */
  remove(fault: Fault = 'none'): string {
    const { founding } = this.store.rows.cluster
    if (!this.setting.hasProbe || founding.state !== 'founded' || this.store.rows.cluster.held)
      return 'nothing'
    let done = 'nothing'
    for (const service of RAFT_SERVICES) {
      const slot = this.store.rows.slots.get(joinStepOf(service))
      if (slot === undefined) continue
      const { memberId } = slot
      const facts = this.store.rows.cluster.probe.groups?.[service]
      if (slot.state !== 'server' || memberId === undefined || facts?.result !== 'leader-quorum') continue
      if (nextTryAtMs(slot) > this.store.nowMs) continue
      const result = this.#callRemoval(service, memberId)
      if (fault === 'before') {
        this.restartServer()
        return 'call made, server died'
      }
      const removal = { service, memberId, slotNo: slot.slotNo }
      this.unit({ kind: 'removal' }, () => decideRemovalResult(this.picture(), removal, result))
      done = `${service} ${memberId} ${result.kind}`
    }
    return done
  }

  addressOf = (machineId: string): string => `10.77.0.${10 + Number(machineId.slice(1))}`

  /** A group that a majority can bring back, of a service. */
  livingGroups(service: RaftService) {
    return this.truth.groups.filter(
      (group) => group.service === service && this.truth.canLive(group, this.nodes),
    )
  }

  #callRemoval(service: RaftService, memberId: string): RemovalResult {
    const url = this.store.rows.cluster.probe.groups?.[service]?.leaderUrl
    const leader = this.nodes.find(
      (node) => url !== undefined && this.addressOf(node.id) === new URL(url).hostname,
    )
    const group = leader === undefined ? undefined : this.truth.groupOf(leader, service)
    if (group === undefined || this.truth.leader(group, this.nodes) !== leader) {
      return { kind: 'failed', detail: 'no leader there' }
    }
    const after = new Map(group.members)
    after.delete(memberId)
    group.members.delete(memberId)
    return { kind: 'gone', listedStill: this.setting.hasList ? group.members.has(memberId) : undefined }
  }

  #groupRound(service: RaftService, isReachable: (machineId: string) => boolean): GroupRound {
    const answers = this.nodes
      .filter((node) => this.store.rows.machines.get(node.id)?.role === 'control-plane')
      .map((node): HealthAnswer => {
        const common = { machineId: node.id, address: demandIp(this.addressOf(node.id)) }
        if (!node.isUp || !isReachable(node.id)) return { ...common, isHealthy: false }
        const group = this.truth.groupOf(node, service)
        if (group === undefined) return { ...common, isHealthy: true }
        const isLeader = this.truth.leader(group, this.nodes) === node
        return {
          ...common,
          isHealthy: true,
          raft: isLeader ? 'leader' : 'follower',
          clusterSize: this.truth.voters(group),
        }
      })
    const leaders = answers.filter((answer) => answer.raft === 'leader')
    const [leader] = leaders
    if (leader === undefined || leaders.length > 1) return { answers, list: { kind: 'no-answer' } }
    if (!this.setting.hasList) return { answers, list: { kind: 'not-there' } }
    const group = this.truth.groupOf(this.node(leader.machineId), service)
    const members = [...(group?.members ?? [])].map(([id, member]) => ({ id, voter: member.voter }))
    return { answers, list: { kind: 'members', members } }
  }

  #script(machineId: string, token: string): Decision<ScriptReply> {
    const { store } = this
    const machine = store.rows.machines.get(machineId)
    const address = demandIp(this.addressOf(machineId))
    const mac = machine?.macs[0]
    if (machine === undefined || mac === undefined)
      return { reply: { kind: 'not-found' }, reason: 'gone', effects: [] }
    const latest = store.tables.attempts.latestOf(machineId)
    return decideScript(
      {
        nowMs: store.nowMs,
        machine,
        image: IMAGE,
        imageLimits: DEFAULT_IMAGE_LIMITS,
        hasCluster: true,
        cluster: store.rows.cluster,
        recentBoots: store.tables.attempts.ofMachine(machineId, 8),
        leasedToMachineId: machineId,
        leaseSeconds: 3600,
        bootUrl: 'http://10.77.0.1:8080',
        imageBaseUrl: 'http://10.77.0.1:8080/images',
        freshBytes: freshBytes(token),
        freshToken: { text: token, sha256: `sha ${token}` },
        ...(latest === undefined ? {} : { latestAttempt: latest }),
        ...(store.rows.fleet === undefined ? {} : { fleetHold: store.rows.fleet }),
      },
      { mac, address, uuid: `uuid-${machineId}`, isHead: false },
    )
  }

  #redeem(request: Extract<Request, { kind: 'redeem' }>): Decision<RedeemReply> {
    const machine = this.store.rows.machines.get(request.machineId)
    const mac = machine?.macs[0]
    if (mac === undefined) return { reply: { kind: 'refused' }, reason: 'gone', effects: [] }
    const asked = {
      mac,
      address: demandIp(this.addressOf(request.machineId)),
      nonce: request.nonce,
      spends: true,
    }
    const snapshot = readRedeemSnapshot(
      this.store.view,
      'http://10.77.0.1:8080',
      asked,
      `sha ${request.token}`,
    )
    return decideRedeem(snapshot, asked)
  }

  #gate(request: Extract<Request, { kind: 'gate' }>): Decision<GateReply | 'unknown'> {
    const snapshot = readGateSnapshot(this.store.view, request.bootId, request.asked.step)
    if (snapshot === undefined) return this.#unknownBoot(request)
    return decideClosed(snapshot.cluster) ?? decideGate(snapshot, request.asked)
  }

  #report(request: Extract<Request, { kind: 'report' }>): Decision<ReportReply | 'unknown'> {
    const snapshot = readReportSnapshot(this.store.view, request.bootId)
    if (snapshot === undefined) return this.#unknownBoot(request)
    return decideClosed(snapshot.cluster) ?? decideReport(snapshot, request.report)
  }

  #unknownBoot({ machineId, bootId }: { readonly machineId: string; readonly bootId: string }) {
    const { nowMs, rows } = this.store
    const machine = rows.machines.get(machineId)
    const told = new Map<string, number>()
    return decideUnknownBoot({ nowMs, told, ...(machine === undefined ? {} : { machine }) }, bootId)
  }

  /** T: two groups of one service that both serve are a split brain, whatever the tables say. */
  #checkTruth(): void {
    for (const service of RAFT_SERVICES) {
      const serving = this.truth.groups.filter(
        (group) =>
          group.service === service && group.members.size > 1 && this.truth.leader(group, this.nodes),
      )
      if (serving.length > 1)
        throw new Violation('T', `two ${service} groups of more than one member serve at once`)
    }
  }
}

export function randomSetting(random: Random): Setting {
  const controlPlane = random.pick([1, 2, 3, 3, 3, 4, 5])
  // Who names no CA lets the server ask nobody: machines after the first then need its word, 30 s old at most.
  const hasProbe = controlPlane > 1 || random.chance(0.7)
  return {
    controlPlane,
    workers: hasProbe && controlPlane < 5 && random.chance(0.4) ? 1 : 0,
    isPersistent: random.chance(0.5),
    hasList: hasProbe && random.chance(0.75),
    hasProbe,
    rearm: random.chance(0.75) ? 'same-identity' : 'manual',
  }
}

function clusterOf(setting: Setting): Cluster {
  return {
    id: 'c1',
    name: 'demo',
    stateKind: setting.isPersistent ? 'persistent' : 'ephemeral',
    expectedControlPlane: setting.controlPlane,
    held: false,
    founding: { state: 'open', epoch: 0, nextEpoch: 1, incarnationFloor: 0, isRearmPaused: false },
    probe: {},
    settings: { rearm: setting.rearm, ...(setting.hasProbe ? { healthCa: 'CA' } : {}) },
    createdAtMs: START_MS,
  }
}

function machineNo(number: number, setting: Setting): Machine {
  const mac = parseMac(`02:00:00:00:00:0${number}`)
  if (mac === undefined) throw new Error('no MAC')
  return {
    id: `m${number}`,
    name: `node0${number}`,
    macs: [mac],
    role: number <= setting.controlPlane ? 'control-plane' : 'worker',
    state: 'enrolled',
    clusterId: 'c1',
    imageId: 'i1',
    bootMode: 'netboot',
    localBoot: 'exit',
    reservedAddress: demandIp(`10.77.0.${10 + number}`),
    uuid: `uuid-m${number}`,
    createdAtMs: START_MS,
  }
}

function demandIp(text: string) {
  const known = ADDRESSES.get(text)
  if (known === undefined) throw new Error(`${text} is no address of the rack`)
  return known
}

function addressNo(number: number) {
  const address = parseIpv4(`10.77.0.${10 + number}`)
  if (address === undefined) throw new Error(`no address ${number}`)
  return address
}

/** 32 bytes that are different for every token, so that every attempt has an id of its own. */
function freshBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(32)
  let number = Number(token.slice(6))
  for (let index = 0; index < 4; index += 1) {
    bytes[index] = number & 255
    number >>>= 8
  }
  return bytes
}
