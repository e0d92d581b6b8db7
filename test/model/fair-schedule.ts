import type { RaftService } from '../../src/model/cluster.ts'
import { isControlPlane, isHeldByServer } from '../../src/model/machine.ts'
import { PARKING_SENTENCES } from '../../src/policy/boot/choose-script.ts'
import type { Operator } from './operator.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

const ROUNDS = 260
const STEP_MS = 6_000

/**
 * Fair delivery from here on: machines stay up, nothing is lost, nothing is held, and the operator carries out what the
 * server's words ask of him. The cluster must become ready (L1 to L4, L6, L7), or it is a violation that says what it
 * waited for. `alone`: nobody is there (L5).
 */
export function playFairly(
  world: World,
  operator: Operator,
  alone: boolean,
  say: (line: string) => void,
): void {
  world.liveness.isFair = true
  for (let round = 0; round < ROUNDS; round += 1) {
    world.store.nowMs += STEP_MS
    for (const node of world.nodes) {
      if (node.phase === 'off') node.powerOn()
      for (let turn = 0; turn < 3 && takeTurn(world, node.id); turn += 1);
    }
    world.endRound(world.beginRound(() => true))
    world.remove()
    world.tick()
    world.liveness.endRound(world.store, world.nodes)
    if (isReady(world)) return
    if (!alone && round % 2 === 1) for (const line of cure(world, operator, round)) say(line)
  }
  const { founding } = world.store.rows.cluster
  throw new Violation(
    alone ? 'L5' : 'L7',
    `not ready after ${ROUNDS} rounds: ${founding.state}, ${waitsOf(world)}`,
  )
}

/**
 * One thing that a machine does by itself, and its request if it has one.
 *
 * @returns false when it waits: asked again in the same instant, a pure decision would answer the same.
 */
export function takeTurn(world: World, machineId: string): boolean {
  const node = world.node(machineId)
  if (node.phase === 'steps') node.act(world.truth, world.nodes, world.addressOf, true)
  const request = node.nextRequest('c1')
  if (request === undefined) return node.phase === 'steps'
  world.send(request, 'none')
  return !(node.phase === 'loader' || (request.kind === 'gate' && node.lastShut !== ''))
}

/** Every living control-plane machine is ready, and a member of the one true group of both services. */
export function isReady(world: World): boolean {
  const { rows } = world.store
  if (rows.cluster.founding.state !== 'founded' || rows.cluster.held || rows.fleet !== undefined) return false
  const living = [...rows.machines.values()].filter((machine) => machine.holdReason !== 'decommissioned')
  if (!living.some((machine) => isControlPlane(machine.role))) return true
  const groups = new Set<number>()
  for (const machine of living) {
    const node = world.node(machine.id)
    if (machine.state !== 'ready' || node.phase !== 'done' || machine.holdStep !== undefined) return false
    for (const service of ['chainfire', 'flaredb'] as const) {
      const group = world.truth.groupOf(node, service)
      if (group === undefined || world.truth.leader(group, world.nodes) === undefined) return false
      groups.add(group.id)
    }
  }
  return groups.size === 2
}

/** What a person does who reads the events, the gates' reasons and the consoles, and does as they say. */
function cure(world: World, operator: Operator, round: number): string[] {
  const { rows, nowMs } = world.store
  const { cluster } = rows
  const { founding } = cluster
  const said: string[] = []
  const must = (what: string, outcome: ReturnType<Operator['arm']>, may: readonly string[] = []) => {
    said.push(`${what}: ${outcome.kind === 'done' ? 'done' : outcome.code}`)
    if (outcome.kind === 'refused' && outcome.code === 'sole-member') {
      // Its own cure: all state went with the only voter, so that machine founds anew.
      const machineId = world.nodes.find((node) => what.endsWith(node.name))?.id
      if (machineId !== undefined)
        must(`refound ${what.slice(4)}`, operator.refound(machineId), ['leader-seen'])
      return false
    }
    if (outcome.kind === 'refused' && !may.includes(outcome.code)) {
      throw new Violation('L6', `${what} is refused: ${outcome.code}, ${outcome.detail}`)
    }
    return outcome.kind === 'done'
  }
  if (cluster.held) must('release cluster', operator.releaseCluster())
  if (rows.fleet !== undefined) rows.fleet = undefined
  for (const machine of [...rows.machines.values()]) {
    const isHeld = machine.state === 'held' || machine.holdStep !== undefined
    // Its console says that the server itself holds it, and asks for an arm.
    if (isHeldByServer(machine) && world.node(machine.id).phase === 'loader') continue
    if (isHeld && machine.holdReason !== 'decommissioned')
      must(`release ${machine.name}`, operator.release(machine.id))
  }
  const voters = world.nodes.filter((node) => {
    const machine = rows.machines.get(node.id)
    return machine !== undefined && isControlPlane(machine.role) && machine.holdReason !== 'decommissioned'
  })
  const [first] = voters
  if (first === undefined) return said
  switch (founding.state) {
    case 'frozen':
      // A restored server waits for its leader first; an operator comes later.
      if (round > 20) must('unfreeze', operator.unfreeze(), ['two-leaders', 'leader-seen'])
      if (cluster.probe.result === 'two-leaders') switchOffOthers(world)
      break
    case 'lost':
      // Where the state may live its cure is to power its machines on, which is done anyway.
      if (
        must('refound', operator.refound(first.id), [
          'leader-seen',
          'machine-held',
          'state-may-exist',
          'survivor',
        ])
      )
        first.powerOff()
      break
    case 'open':
      {
        const founder = world.node(founding.reservedFor ?? first.id)
        armParked(world, operator, founder.id, must)
        // It waits at a gate that only a founder opens: booted again, it is that founder.
        if (founder.phase === 'steps' || founder.phase === 'done') restart(world, founder.id)
      }
      break
    case 'granted':
    case 'doubtful': {
      const holder = world.node(founding.holderMachineId ?? first.id)
      const isStuck = holder.phase !== 'steps' && holder.phase !== 'redeem'
      if (founding.state === 'doubtful' || isStuck) {
        must(`arm ${holder.name}`, operator.arm(holder.id))
        restart(world, holder.id)
      }
      break
    }
    default:
  }
  for (const node of world.nodes) {
    const machine = rows.machines.get(node.id)
    if (machine === undefined || machine.holdReason === 'decommissioned') continue
    if (node.phase === 'foreign-data') {
      node.data = {}
      must(`arm ${node.name}`, operator.arm(node.id), ['sole-member', 'cluster-frozen'])
      restart(world, node.id)
    }
    if (node.phase === 'gave-up' || node.phase === 'stale') {
      must(`arm ${node.name}`, operator.arm(node.id), ['sole-member', 'still-member', 'cluster-frozen'])
      restart(world, node.id)
    }
    // What it reported, or its whole boot (event boot.unknown), is forgotten with what a restore took: it boots again.
    if (node.lastShut === 'earlier-step' || node.lastShut === 'unknown-boot') {
      must(`arm ${node.name}`, operator.arm(node.id), ['sole-member', 'still-member', 'cluster-frozen'])
      restart(world, node.id)
    }
    if (node.phase === 'loader') armParked(world, operator, node.id, must)
    // Who arms a machine that runs means to boot it again.
    const isRunning = node.phase === 'done' || (node.phase === 'steps' && round > 6)
    const isMeantToBoot = machine.state === 'armed' || machine.state === 'booting'
    if (isRunning && isMeantToBoot) restart(world, node.id)
    // Its step says that it took the data up again and is no member of anything: it never was one.
    const ghost = round > 30 && node.phase === 'steps' ? ghostOf(world, node.id) : undefined
    if (ghost !== undefined) {
      said.push(`forget ${ghost}: ${operator.forget(ghost).kind}`)
      must(`arm ${node.name}`, operator.arm(node.id), ['sole-member', 'still-member'])
      restart(world, node.id)
    }
    // Of an older cluster; one that was ready has nothing more to ask, so a boot that is not known shows in the lists only.
    const boot = rows.attempts.get(node.bootId)
    const isOld =
      (boot === undefined && node.phase === 'done') ||
      (boot?.passEpoch !== undefined && boot.passEpoch < founding.epoch)
    if (isOld && founding.state === 'founded' && (node.phase === 'done' || node.phase === 'steps')) {
      must(`arm ${node.name}`, operator.arm(node.id), ['sole-member', 'still-member'])
      restart(world, node.id)
    }
    // A machine that was ready before its cluster or its FlareDB began anew has to boot again.
    const isOutside =
      (node.phase === 'done' || (round > 30 && node.step === 'cluster-health-check')) &&
      founding.state === 'founded' &&
      round > 12 &&
      (['chainfire', 'flaredb'] as const).some((service) => isOutsideOf(world, node, service))
    if (isOutside || (node.phase === 'done' && machine.state !== 'ready' && machine.state !== 'armed')) {
      must(`arm ${node.name}`, operator.arm(node.id), ['sole-member', 'still-member', 'cluster-frozen'])
      restart(world, node.id)
    }
    if (node.lastShut === 'remove-by-hand' || node.lastShut === 'old-member-listed')
      forgetOlder(world, operator, node.id, said)
  }
  // Nobody leads, and no machine that is off could change that: the runbook's last row.
  if (
    founding.state === 'founded' &&
    round > 60 &&
    round % 20 === 1 &&
    world.livingGroups('chainfire').length === 0
  ) {
    must('refound', operator.refound(first.id), ['leader-seen'])
  }
  const flaredb = rows.services.get('flaredb')
  for (const slot of rows.slots.values()) {
    const heardAtMs = Math.max(slot.heardAtMs ?? 0, rows.attempts.get(slot.bootId ?? '')?.heardAtMs ?? 0)
    if (slot.state === 'suspect' && nowMs - heardAtMs > 150_000) {
      must(`slot free ${slot.step}`, operator.freeSlot(slot.step), ['holder-active', 'not-suspect'])
    }
  }
  if (founding.state === 'founded' && round > 20 && round % 10 === 1) {
    const isDead =
      flaredb !== undefined && flaredb.state === 'done' && world.livingGroups('flaredb').length === 0
    const isStuck =
      flaredb?.state === 'granted' && world.node(flaredb.machineId ?? first.id).phase !== 'steps'
    const isUnknown =
      world.livingGroups('flaredb').length === 0 &&
      world.nodes.some((node) => node.lastShut === 'flaredb-unknown' || node.lastShut === 'flaredb-there')
    // Each of two that a restore forgot leads its own: all are up, and still the gate says that one is there.
    const isSplit =
      round > 60 &&
      world.livingGroups('flaredb').length > 1 &&
      world.nodes.some((node) => node.lastShut === 'flaredb-there')
    if (isDead || isStuck || isUnknown || isSplit) {
      const inGroup = voters.filter((node) => world.truth.groupOf(node, 'chainfire') !== undefined)
      // The gate names one that the tables know as a member; where there is none, it says to boot this one again.
      const to = inGroup.find((node) => hasChainfireRow(world, node.id)) ?? inGroup[0]
      if (to !== undefined) {
        const may = ['not-chainfire-member', 'holder-active', 'already-founded', 'state-may-exist']
        const outcome = operator.moveFlaredb(to.id)
        let isMoved = must('move flaredb', outcome, may)
        // All are up, and still nobody leads: he gives the state up, as the refusal says.
        const isRefused =
          outcome.kind === 'refused' && /^(already-founded|state-may-exist)$/.test(outcome.code)
        if (isRefused && round > 40 && outcome.cure.includes('--discard-state'))
          isMoved = must('move flaredb, discard state', operator.moveFlaredb(to.id, true), may)
        // The note of the call: its FlareDB step is over in this boot.
        const isOver = to.step === 'iam-initial-setup' || to.step === 'cluster-health-check'
        const isUnnamed = !isMoved && isUnknown && !hasChainfireRow(world, to.id)
        if (isUnnamed || to.phase === 'done' || (to.phase === 'steps' && isOver)) {
          must(`arm ${to.name}`, operator.arm(to.id), ['sole-member', 'still-member'])
          restart(world, to.id)
        }
        // The other note: who has its FlareDB already runs without the new one until it boots again.
        for (const other of isMoved && isSplit ? voters : []) {
          if (other === to || other.step === 'flaredb-cluster-join') continue
          must(`arm ${other.name}`, operator.arm(other.id), ['sole-member', 'still-member'])
          restart(world, other.id)
        }
      }
    }
  }
  return said
}

/** As `cluster show` lists it: a voter of Chainfire, so one that FlareDB's founding may be moved to. */
function hasChainfireRow(world: World, machineId: string): boolean {
  const { rows } = world.store
  return [...rows.members.values()].some(
    (row) =>
      row.service === 'chainfire' &&
      row.machineId === machineId &&
      row.state === 'member' &&
      row.voter &&
      row.epoch === rows.cluster.founding.epoch,
  )
}

/** Reasons of a parked machine whose sentence on its console ends in `pilotlight machine arm`. */
const CONSOLE_ASKS_FOR_ARM: ReadonlySet<string> = new Set(
  Object.entries(PARKING_SENTENCES)
    .filter(([, sentence]) => sentence.includes('pilotlight machine arm'))
    .map(([reason]) => reason),
)

function armParked(
  world: World,
  operator: Operator,
  machineId: string,
  must: (what: string, outcome: ReturnType<Operator['arm']>, may?: readonly string[]) => boolean,
): void {
  const machine = world.store.rows.machines.get(machineId)
  if (machine === undefined) return
  const { phase, parkedFor } = world.node(machineId)
  const isArmed = machine.state === 'armed' || machine.state === 'booting'
  if (phase === 'loader' ? !CONSOLE_ASKS_FOR_ARM.has(parkedFor) : isArmed) return
  must(`arm ${machine.name}`, operator.arm(machineId), ['sole-member', 'still-member', 'cluster-frozen'])
}

function restart(world: World, machineId: string): void {
  const node = world.node(machineId)
  node.powerOff()
  node.powerOn()
}

/** In no group of the service, or in one that is given up while another leads: `founding move` says to boot it again. */
function isOutsideOf(world: World, node: World['nodes'][number], service: RaftService): boolean {
  const { truth, nodes } = world
  const group = truth.groupOf(node, service)
  if (group === undefined) return true
  if (truth.leader(group, nodes) !== undefined) return false
  return truth.groups.some((other) => other.service === service && truth.leader(other, nodes) !== undefined)
}

/** A member row of a machine whose data is in no group at all. */
function ghostOf(world: World, machineId: string): string | undefined {
  const node = world.node(machineId)
  return [...world.store.rows.members.values()].find(
    (row) =>
      row.machineId === machineId &&
      row.state === 'member' &&
      row.epoch === world.store.rows.cluster.founding.epoch &&
      world.truth.groupOf(node, row.service) === undefined,
  )?.memberId
}

/** Two lead: the operator finds out whose word counts, here the larger group's, and clears the others away. */
function switchOffOthers(world: World): void {
  const led = world.truth.groups
    .filter((group) => group.service === 'chainfire' && world.truth.leader(group, world.nodes) !== undefined)
    .sort((a, b) => b.members.size - a.members.size || b.id - a.id)
  for (const node of world.nodes) {
    const group = world.truth.groupOf(node, 'chainfire')
    if (group === undefined || group === led[0]) continue
    node.powerOff()
    node.data = {}
  }
}

/** By hand: the old self is taken out of its group, where that can agree, and the server told. */
function forgetOlder(world: World, operator: Operator, machineId: string, said: string[]): void {
  if (world.setting.hasList) return
  const node = world.node(machineId)
  const service = node.step === 'flaredb-cluster-join' ? 'flaredb' : 'chainfire'
  const older = [...world.store.rows.members.values()].find(
    (row) =>
      row.machineId === machineId &&
      row.service === service &&
      row.state === 'lost' &&
      row.epoch === world.store.rows.cluster.founding.epoch,
  )
  if (older !== undefined) said.push(`forget ${older.memberId}: ${operator.forget(older.memberId).kind}`)
}

function waitsOf(world: World): string {
  const { rows } = world.store
  const nodes = world.nodes.map((node) => {
    const machine = rows.machines.get(node.id)
    return `${node.name} ${node.phase}/${machine?.state}${node.phase === 'steps' ? ` ${node.step} ${node.lastShut}` : ''}`
  })
  const slots = [...rows.slots.values()]
    .filter((slot) => slot.state !== 'free')
    .map((slot) => `${slot.step} ${slot.state} by ${slot.machineId}`)
  return [...nodes, ...slots].join('; ')
}
