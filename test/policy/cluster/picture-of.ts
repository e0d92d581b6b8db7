import { GATED_STEPS } from '../../../src/model/first-boot.ts'
import { tablesOf } from '../../../src/policy/cluster/decide-probe.ts'
import type { GroupRound, HealthAnswer } from '../../../src/policy/cluster/judge-round.ts'
import type { ClusterPicture } from '../../../src/policy/cluster/picture.ts'
import {
  aFoundedCluster,
  aGroup,
  aMachine,
  aMember,
  anAttempt,
  aSlot,
  ip,
  mac,
  NOW,
} from '../../support/builders.ts'

/** Three voters, founded and seen healthy a second ago; change only what the case is about. */
export function aPicture(changes: Partial<ClusterPicture> = {}): ClusterPicture {
  const numbers = [1, 2, 3]
  const healthyMachineIds = ['m1', 'm2', 'm3']
  return {
    nowMs: NOW,
    cluster: aFoundedCluster({
      stateKind: 'persistent',
      probe: {
        result: 'leader-quorum',
        probedAtMs: NOW - 1000,
        leaderUrl: 'https://10.77.0.11:2379',
        leaderSeenAtMs: NOW - 1000,
        groups: {
          chainfire: aGroup({ healthyMachineIds, list: 'there', leaderUrl: 'https://10.77.0.11:2379' }),
          flaredb: aGroup({ healthyMachineIds, list: 'there', leaderUrl: 'https://10.77.0.11:2479' }),
        },
      },
    }),
    machines: numbers.map((number) => nodeNo(number)),
    attempts: numbers.map((number) =>
      anAttempt({ bootId: `b${number}`, machineId: `m${number}`, status: 'current', heardAtMs: NOW - 1000 }),
    ),
    members: numbers.flatMap((number) => [voterNo(number), voterNo(number, { service: 'flaredb' })]),
    slots: GATED_STEPS.map((step) => aSlot(step, { slotNo: 7 })),
    serviceFoundings: [{ clusterId: 'c1', service: 'flaredb', state: 'done', epoch: 1, machineId: 'm1' }],
    addresses: new Map(numbers.map((number) => [`m${number}`, ip(`10.77.0.${10 + number}`)])),
    holderHasReported: true,
    succeededSteps: new Set(),
    ...changes,
  }
}

export function nodeNo(number: number, changes: Parameters<typeof aMachine>[0] = {}) {
  const { armedUntilMs: _spent, ...machine } = aMachine({
    id: `m${number}`,
    name: `node0${number}`,
    macs: [mac(`02:00:00:00:00:0${number}`)],
    state: 'ready',
    currentBootId: `b${number}`,
    reservedAddress: ip(`10.77.0.${10 + number}`),
  })
  return { ...machine, ...changes }
}

export function voterNo(number: number, changes: Parameters<typeof aMember>[0] = {}) {
  return aMember({
    machineId: `m${number}`,
    memberId: `node0${number}.1`,
    address: ip(`10.77.0.${10 + number}`),
    bootId: `b${number}`,
    ...changes,
  })
}

/** The picture with one slot in another state. */
export function withSlot(picture: ClusterPicture, slot: ClusterPicture['slots'][number]): ClusterPicture {
  return { ...picture, slots: picture.slots.map((other) => (other.step === slot.step ? slot : other)) }
}

/** A round in which these machines answer, the first as leader, with this list. */
export function aRound(
  picture: ClusterPicture,
  healthy: readonly number[],
  listed: readonly string[] | 'not-there' | undefined,
  leaders = 1,
) {
  const answers = [1, 2, 3].map((number): HealthAnswer => {
    const place = healthy.indexOf(number)
    const common = { machineId: `m${number}`, address: ip(`10.77.0.${10 + number}`) }
    if (place < 0) return { ...common, isHealthy: false }
    return { ...common, isHealthy: true, raft: place < leaders ? 'leader' : 'follower' }
  })
  const group: GroupRound = {
    answers,
    list:
      listed === undefined
        ? { kind: 'no-answer' }
        : listed === 'not-there'
          ? { kind: 'not-there' }
          : { kind: 'members', members: listed.map((id) => ({ id, voter: true })) },
  }
  return { chainfire: group, flaredb: group, tablesBefore: tablesOf(picture) }
}
