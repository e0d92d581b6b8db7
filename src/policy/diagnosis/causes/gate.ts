import type { JoinSlot } from '../../../model/cluster.ts'
import { FIRST_BOOT_STEPS, type FirstBootStep } from '../../../model/first-boot.ts'
import { isControlPlane } from '../../../model/machine.ts'
import { HELD } from '../../first-boot/holds.ts'
import { ago, type Case, type Cause, HELD_UP } from '../cause.ts'
import { SERVICE_OF_STEP } from '../limits.ts'
import type { Peer } from '../snapshot.ts'

/** What a machine waits for at a gate. */
export const GATE_CAUSES: readonly Cause[] = [
  {
    code: 'operator-decides',
    title: 'the gate waits for an operator',
    when: HELD_UP,
    detect(c) {
      const reason = gateReason(c)
      if (!(reason in CURE_OF_DECISION)) return undefined
      return {
        likelihood: 'certain',
        text: `${c.situation.step} waits: ${c.situation.gate?.detail} (${reason})`,
      }
    },
    cure(c) {
      if (gateReason(c) === 'held') return cureOfHold(c)
      const { cluster } = c.snapshot
      return `${CURE_OF_DECISION[gateReason(c)]} ${cluster?.name ?? ''}`.trim()
    },
  },
  {
    code: 'not-founded',
    title: 'the cluster or its FlareDB is not founded yet: one machine has to do it first',
    when: HELD_UP,
    detect(c) {
      if (gateReason(c) !== 'not-founded') return undefined
      const { step } = c.situation
      return { likelihood: 'certain', text: `${step} waits: ${founderSays(c)}`, ...serviceOf(step) }
    },
    cure(c) {
      const founder = peerOf(c, c.snapshot.cluster?.founding.holderMachineId)
      return founder === undefined
        ? 'arm a control-plane machine of the cluster and switch it on: the first to take its configuration founds it'
        : `look at ${founder.machine.name} first: pilotlight explain ${founder.machine.name}`
    },
  },
  {
    code: 'slot-held',
    title: 'another machine has its turn: members join one at a time',
    when: HELD_UP,
    detect(c) {
      if (gateReason(c) !== 'waiting-for-slot') return undefined
      const slot = slotOf(c)
      const holder = peerOf(c, slot?.machineId)
      const text =
        slot === undefined || holder === undefined
          ? (c.situation.gate?.detail ?? '')
          : `${holder.machine.name} holds slot ${slot.slotNo} (${slot.state}, ${slot.action}), heard ${ago(c, slot.heardAtMs ?? holder.heardAtMs ?? 0)} ago`
      return {
        likelihood: 'certain',
        text: `${c.situation.step} waits: ${text}`,
        ...serviceOf(c.situation.step),
      }
    },
    cure(c) {
      const slot = slotOf(c)
      const holder = peerOf(c, slot?.machineId)
      if (slot === undefined || holder === undefined) return 'it goes on by itself'
      if (slot.state !== 'suspect')
        return `it goes on by itself; else: pilotlight explain ${holder.machine.name}`
      return `switch ${holder.machine.name} on again; or when its join is surely over: pilotlight cluster slot free ${c.snapshot.cluster?.name} ${slot.step}`
    },
  },
  {
    code: 'no-leader',
    title: 'no leader with a quorum is seen',
    when: HELD_UP,
    detect(c) {
      if (gateReason(c) !== 'no-leader') return undefined
      const { step } = c.situation
      return { likelihood: 'certain', text: `${step} waits: ${quorumSays(c)}`, ...serviceOf(step) }
    },
    cure: () =>
      'start the members that do not answer; where all answer, check that this server reaches their health ports, and that the cluster’s health_ca signed their certificates',
  },
]

const CURE_OF_DECISION: Readonly<Record<string, string>> = {
  held: 'pilotlight cluster release',
  'being-removed': 'it goes on once its old member is removed; until then: pilotlight cluster show',
  'remove-by-hand': 'remove its old member by hand, then: pilotlight cluster member forget',
  'flaredb-there':
    'bring its other members up; else: pilotlight cluster founding move --service flaredb --to M',
  'flaredb-unknown':
    'bring up what may have its data; else: pilotlight cluster founding move --service flaredb --to M',
  'cluster-lost': 'pilotlight cluster refound --machine M',
  'cluster-frozen': 'pilotlight cluster unfreeze --as open|founded',
}

/** Where it was put, as the gate said. */
function cureOfHold({ situation, snapshot }: Case): string {
  const { machine, cluster } = snapshot
  const detail = situation.gate?.detail
  if (detail === HELD.fleet) return 'pilotlight fleet release'
  if (detail === HELD.machineHere || (machine.state === 'held' && detail !== HELD.cluster))
    return `pilotlight machine release ${machine.name}`
  return `${CURE_OF_DECISION.held} ${cluster?.name ?? ''}`.trim()
}

function gateReason(c: Case): string {
  return c.situation.gate?.reason ?? ''
}

function serviceOf(step: FirstBootStep | undefined) {
  return step === undefined ? {} : { service: SERVICE_OF_STEP[step] }
}

function slotOf(c: Case): JoinSlot | undefined {
  return c.snapshot.slots.find((slot) => slot.step === c.situation.step && slot.state !== 'free')
}

function peerOf(c: Case, machineId: string | undefined): Peer | undefined {
  return c.snapshot.peers.find((peer) => peer.machine.id === machineId)
}

function founderSays(c: Case): string {
  const { cluster, peers } = c.snapshot
  const founder = peerOf(c, cluster?.founding.holderMachineId)
  if (founder === undefined) {
    const candidates = peers.filter(({ machine }) => isControlPlane(machine.role)).length
    return `no machine founds ${cluster?.name}: none of the ${candidates} other control-plane machines has taken its configuration`
  }
  const step = FIRST_BOOT_STEPS.map((name) => founder.steps.find((row) => row.step === name)).findLast(
    (row) => row !== undefined,
  )
  const heard = founder.heardAtMs === undefined ? 'not heard of' : `heard ${ago(c, founder.heardAtMs)} ago`
  const at =
    step === undefined
      ? `at ${founder.stage ?? 'no stage'}`
      : `at ${step.step} (${step.state}${step.reason === '' ? '' : `: ${step.reason}`})`
  return `${founder.machine.name} founds it and is ${at}, ${heard}`
}

/** `quorum 1 of 3: node01 answers follower, node02 does not answer (connect ECONNREFUSED)`. */
function quorumSays(c: Case): string {
  const step = c.situation.step
  // FlareDB's gate needs Chainfire's leader first.
  const service = c.snapshot.health.some((seen) => seen.service === 'chainfire' && seen.raft === 'leader')
    ? SERVICE_OF_STEP[step ?? 'chainfire-cluster-join']
    : 'chainfire'
  const rows = c.snapshot.members.filter(
    (row) => row.service === service && row.voter && (row.state === 'member' || row.state === 'joining'),
  )
  const answers = rows.map((row) => {
    const seen = c.snapshot.health.find(
      ({ address, service: asked }) => address === row.address && asked === service,
    )
    const name = peerOf(c, row.machineId)?.machine.name ?? row.memberId
    return {
      isHealthy: seen?.isHealthy === true,
      isLeader: seen?.raft === 'leader',
      text: `${name} ${saying(seen)}`,
    }
  })
  answers.sort((one, other) => one.text.localeCompare(other.text))
  const healthy = answers.filter(({ isHealthy }) => isHealthy).length
  const leader = answers.some(({ isLeader }) => isLeader) ? '' : ' and no leader'
  return `${service} has a quorum of ${healthy} of ${rows.length}${leader}: ${answers.map(({ text }) => text).join(', ') || 'no member is known'}`
}

function saying(seen: { isHealthy: boolean; raft?: string; said: string } | undefined): string {
  if (seen === undefined) return 'was not asked'
  return seen.isHealthy ? `answers ${seen.raft ?? 'healthy'}` : `is not healthy (${seen.said})`
}
