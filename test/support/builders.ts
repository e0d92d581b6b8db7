import type { BootAttempt } from '../../src/model/boot-attempt.ts'
import type { Cluster, Founding, GroupFacts, JoinSlot, Member, Probe } from '../../src/model/cluster.ts'
import type { GatedStep, StepRecord } from '../../src/model/first-boot.ts'
import type { Image } from '../../src/model/image.ts'
import type { Lease } from '../../src/model/lease.ts'
import type { Machine } from '../../src/model/machine.ts'
import type { Subnet } from '../../src/model/subnet.ts'
import { type Cidr, type Ipv4, parseCidr, parseIpv4, parseIpv4Range } from '../../src/net/ipv4.ts'
import { type Mac, parseMac } from '../../src/net/mac.ts'
import type { Effect } from '../../src/policy/effect.ts'

/** The moment at which the stories of the tests begin. */
export const NOW = 1_800_000_000_000

export function mac(text: string): Mac {
  return demand(parseMac(text), `${text} is no MAC`)
}

export function ip(text: string): Ipv4 {
  return demand(parseIpv4(text), `${text} is no IPv4 address`)
}

export function cidr(text: string): Cidr {
  return demand(parseCidr(text), `${text} is no network`)
}

/** A machine that is armed for half an hour and lacks nothing. */
export function aMachine(changes: Partial<Machine> = {}): Machine {
  return {
    id: 'm1',
    name: 'node01',
    macs: [mac('02:00:00:00:00:01')],
    role: 'control-plane',
    state: 'armed',
    clusterId: 'c1',
    imageId: 'i1',
    bootMode: 'netboot',
    localBoot: 'exit',
    reservedAddress: ip('10.77.0.11'),
    armedUntilMs: NOW + 1_800_000,
    createdAtMs: NOW - 1000,
    ...changes,
  }
}

export function anAttempt(changes: Partial<BootAttempt> = {}): BootAttempt {
  return {
    bootId: 'b1',
    machineId: 'm1',
    status: 'tentative',
    stage: 'script-sent',
    startedAtMs: NOW - 10_000,
    heardAtMs: NOW - 1000,
    ...changes,
  }
}

export function aCluster(changes: Partial<Cluster> = {}): Cluster {
  return {
    id: 'c1',
    name: 'demo',
    stateKind: 'ephemeral',
    expectedControlPlane: 3,
    held: false,
    founding: aFounding(),
    probe: {},
    settings: {},
    createdAtMs: NOW - 1000,
    ...changes,
  }
}

export function aFounding(changes: Partial<Founding> = {}): Founding {
  return { state: 'open', epoch: 0, nextEpoch: 1, incarnationFloor: 0, isRearmPaused: false, ...changes }
}

/** Founded in epoch 1 by m1/b1, and a leader seen a second ago. */
export function aFoundedCluster(changes: Partial<Cluster> = {}): Cluster {
  return aCluster({
    founding: aFounding({
      state: 'founded',
      epoch: 1,
      nextEpoch: 2,
      holderMachineId: 'm1',
      holderBootId: 'b1',
      foundedAtMs: NOW - 5000,
    }),
    probe: aProbe(),
    ...changes,
  })
}

/** Seen a second ago: m1 leads Chainfire with quorum; nobody asked FlareDB. */
export function aProbe(chainfire: Partial<GroupFacts> = {}, flaredb?: Partial<GroupFacts>): Probe {
  const leaderUrl = chainfire.leaderUrl ?? 'https://10.77.0.11:2379'
  const first = aGroup({ leaderUrl, ...chainfire })
  return {
    result: first.result,
    probedAtMs: first.atMs,
    leaderUrl,
    groups: { chainfire: first, ...(flaredb === undefined ? {} : { flaredb: aGroup(flaredb) }) },
  }
}

export function aGroup(changes: Partial<GroupFacts> = {}): GroupFacts {
  return {
    result: 'leader-quorum',
    atMs: NOW - 1000,
    list: 'unknown',
    healthyMachineIds: ['m1'],
    differs: false,
    ...changes,
  }
}

export function aSlot(step: GatedStep, changes: Partial<JoinSlot> = {}): JoinSlot {
  return { clusterId: 'c1', step, state: 'free', slotNo: 0, failures: 0, ...changes }
}

export function aMember(changes: Partial<Member> = {}): Member {
  return {
    clusterId: 'c1',
    service: 'chainfire',
    machineId: 'm1',
    incarnation: 1,
    memberId: 'node01.1',
    address: ip('10.77.0.11'),
    voter: true,
    epoch: 1,
    bootId: 'b1',
    state: 'member',
    ...changes,
  }
}

export function succeeded(step: StepRecord['step'], changes: Partial<StepRecord> = {}): StepRecord {
  return { bootId: 'b1', step, state: 'succeeded', sequence: 3, reason: '', ...changes }
}

export function anImage(changes: Partial<Image> = {}): Image {
  return {
    id: 'i1',
    name: 'control-plane',
    version: '1',
    architecture: 'x86_64',
    init: '/nix/store/system/init',
    parameters: ['console=ttyS0'],
    files: [
      { name: 'bzImage', role: 'kernel', bytes: 10, sha256: 'aa' },
      { name: 'initrd', role: 'initrd', bytes: 20, sha256: 'bb' },
    ],
    state: 'available',
    createdAtMs: NOW - 1000,
    ...changes,
  }
}

export function aLease(changes: Partial<Lease> = {}): Lease {
  return {
    subnet: '10.77.0.0/24',
    mac: mac('02:00:00:00:00:01'),
    address: ip('10.77.0.11'),
    state: 'active',
    grantedAtMs: NOW - 10_000,
    expiresAtMs: NOW + 3_590_000,
    ...changes,
  }
}

export function aSubnet(changes: Partial<Subnet> = {}): Subnet {
  return {
    cidr: cidr('10.77.0.0/24'),
    pool: demand(parseIpv4Range('10.77.0.100-10.77.0.199'), 'a bad pool'),
    dns: [],
    ntp: [],
    leaseSeconds: 3600,
    ...changes,
  }
}

/** The effects of one kind, typed as that kind. */
export function effectsOf<Kind extends Effect['kind']>(
  effects: readonly Effect[],
  kind: Kind,
): readonly Extract<Effect, { kind: Kind }>[] {
  return effects.filter((effect): effect is Extract<Effect, { kind: Kind }> => effect.kind === kind)
}

/** The types of the events among the effects, in order. */
export function eventTypes(effects: readonly Effect[]): readonly string[] {
  return effectsOf(effects, 'append-event').map(({ event }) => event.type)
}

function demand<Value>(value: Value | undefined, message: string): Value {
  if (value === undefined) throw new Error(message)
  return value
}
