import { checkClosed, closeCluster, closedTables } from './closing.ts'
import { playFairly } from './fair-schedule.ts'
import { Operator } from './operator.ts'
import { Random } from './random.ts'
import { Violation } from './violation.ts'
import { type Fault, randomSetting, World } from './world.ts'

/** One run: a setting, and one seed for each action, so that an action can be left out without changing the others. */
export interface Script {
  readonly seed: number
  readonly actions: readonly number[]
}

export interface Outcome {
  readonly units: number
  readonly violation?: Violation
  readonly trace: readonly string[]
}

const START_MS = 1_800_000_000_000
const FEWEST_ACTIONS = 10
const MOST_ACTIONS = 90
/** So many of a hundred runs end with the deletion of the cluster instead of a fair schedule. */
const CLOSED_SHARE = 0.05
const CLOSING = 0x0f20f20f
const ACTIONS_AFTER = 40

export function scriptOf(seed: number): Script {
  const random = new Random(seed)
  const count = FEWEST_ACTIONS + random.below(MOST_ACTIONS - FEWEST_ACTIONS)
  return { seed, actions: Array.from({ length: count }, () => random.seed()) }
}

/** Plays a run: its actions in disorder, then a fair schedule to the end, in which everything must come right. */
export function play(script: Script, isTraced: boolean): Outcome {
  const random = new Random(script.seed ^ 0x5bd1e995)
  const setting = randomSetting(random)
  const world = new World(setting)
  const operator = new Operator(world)
  const trace: string[] = []
  const say = (line: string) => {
    const isNews = isTraced && trace.at(-1)?.endsWith(`  ${line}`) !== true
    if (isNews) trace.push(`+${(world.store.nowMs - START_MS) / 1000} s  ${line}`)
  }
  say(JSON.stringify(setting))
  try {
    for (const seed of script.actions) say(act(world, operator, new Random(seed)))
    if (new Random(script.seed ^ CLOSING).chance(CLOSED_SHARE)) {
      playToTheEnd(world, operator, script, say)
      return { units: world.units, trace }
    }
    say('-- from here on everything is delivered, and the operator does as he is told')
    playFairly(world, operator, false, say)
    if (setting.isPersistent && setting.rearm === 'same-identity' && setting.hasProbe) {
      say('-- L5: all lose power at once, and nobody is there')
      world.store.nowMs += 2 * 3_600_000
      for (const node of world.nodes) node.powerOff()
      playFairly(world, operator, true, say)
    }
  } catch (error) {
    const violation =
      error instanceof Violation ? error : new Violation('bug', String((error as Error).stack))
    return { units: world.units, violation, trace }
  }
  return { units: world.units, trace }
}

/** F20: the cluster is deleted, and the same disorder goes on. A restore may bring it back, frozen. */
function playToTheEnd(world: World, operator: Operator, { seed }: Script, say: (line: string) => void): void {
  say('-- from here on the cluster is given up')
  closeCluster(world, operator, say)
  const random = new Random(seed ^ ~CLOSING)
  for (let action = 0; action < ACTIONS_AFTER; action += 1) {
    const tables = closedTables(world)
    const isClosed = world.store.rows.cluster.founding.state === 'closed'
    const line = act(world, operator, random)
    say(line)
    // A person may tidy up by hand what is left of it, or bring an older state of it back.
    const isByHand = line.startsWith('operator:') || line === 'the backup is restored'
    if (isClosed && !isByHand) checkClosed(world, tables)
  }
}

function act(world: World, operator: Operator, random: Random): string {
  const node = random.pick(world.nodes)
  const fault: Fault = random.chance(0.08) ? 'before' : random.chance(0.1) ? 'after' : 'none'
  const roll = random.below(100)
  if (roll < 46) {
    // A machine does several things in a row, as machines do when nothing stops them.
    const turns = 1 + random.below(6)
    const did: string[] = []
    // A parked one is stopped: its next poll is another action's.
    for (let turn = 0; turn < turns && (turn === 0 || node.phase !== 'loader'); turn += 1) {
      if (node.phase === 'off') node.powerOn()
      if (node.phase === 'steps') {
        did.push(
          random.chance(0.06)
            ? `fails ${node.fail(random.chance(0.5))}`
            : node.act(world.truth, world.nodes, world.addressOf, random.chance(0.92)),
        )
      }
      const request = node.nextRequest('c1')
      if (request !== undefined) did.push(`${request.kind} ${fault}: ${world.send(request, fault)}`)
      world.store.nowMs += random.below(3000)
    }
    return `${node.name} ${node.phase}: ${did.join(', ')}`
  }
  if (roll < 54) {
    const ms = random.pick([1_000, 8_000, 35_000, 95_000, 130_000, 700_000])
    world.store.nowMs += ms
    return `${ms / 1000} s pass`
  }
  if (roll < 60) {
    world.tick(fault)
    return `tick ${fault}`
  }
  if (roll < 70) return probe(world, random, fault)
  if (roll < 73) return `removal ${fault}: ${world.remove(fault)}`
  if (roll < 80) {
    if (world.asked.length === 0) return 'nothing to repeat'
    const request = random.pick(world.asked)
    return `repeated ${request.kind} of ${request.machineId}: ${world.send(request, 'none', true)}`
  }
  if (roll < 84) {
    node.powerOff()
    return `${node.name} loses power`
  }
  if (roll < 85) {
    node.powerOff()
    node.data = {}
    return `${node.name} loses its disk`
  }
  if (roll < 86) {
    for (const each of world.nodes) each.powerOff()
    return 'all lose power'
  }
  if (roll < 88) {
    world.restartServer()
    return 'the server restarts'
  }
  if (roll < 89) {
    world.backup = world.store.backup()
    return 'a backup is made'
  }
  if (roll < 90) {
    world.restore()
    return 'the backup is restored'
  }
  return `operator: ${operator.random(random)}`
}

function probe(world: World, random: Random, fault: Fault): string {
  if (world.pendingRound !== undefined && random.chance(0.7)) {
    const round = world.pendingRound
    world.pendingRound = undefined
    world.endRound(round, fault)
    return 'an old round of answers is judged'
  }
  const share = random.pick([1, 1, 1, 0.6, 0])
  const round = world.beginRound(() => random.chance(share))
  if (random.chance(0.2)) {
    world.pendingRound = round
    return 'a round of answers is under way'
  }
  world.endRound(round, fault)
  return `probe ${fault}, ${share * 100} % reachable: ${world.store.rows.cluster.probe.result}`
}

/** Leaves out what is not needed for the same rule to break: halves first, then single actions. */
export function shrink(script: Script, rule: string): Script {
  const stillBreaks = (actions: readonly number[]) =>
    play({ seed: script.seed, actions }, false).violation?.rule === rule
  let actions = script.actions
  for (let size = Math.ceil(actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < actions.length; ) {
      const fewer = [...actions.slice(0, start), ...actions.slice(start + size)]
      if (stillBreaks(fewer)) actions = fewer
      else start += size
    }
  }
  return { seed: script.seed, actions }
}
