import t from 'tap'
import type { Ipv4 } from '../../../src/net/ipv4.ts'
import type { Effect } from '../../../src/policy/effect.ts'
import { ServerKey } from '../../../src/store/server-key.ts'
import { type Tables, tablesOn } from '../../../src/store/tables/tables.ts'
import {
  aCluster,
  aLease,
  aMachine,
  anAttempt,
  anImage,
  aProbe,
  ip,
  mac,
  NOW,
} from '../../support/builders.ts'
import { openEngine, scratchDir } from '../../support/store-world.ts'

const SUBNETS = ['10.77.0.0/24', '10.77.0.0/25']
const MACHINES = ['m0', 'm1', 'm2']
const MACS = [0, 1, 2, 3].map((n) => mac(`02:00:00:00:00:0${n}`))
const ADDRESSES = [10, 11, 12].map((host) => ip(`10.77.0.${host}`))
const BOOTS = MACHINES.flatMap((machine) => [1, 2, 3].map((n) => `${machine}-boot-${n}`))
const CLUSTERS = ['c1', 'c2']
const IMAGES = ['i1', 'i2']
const BATCHES = 1000

/** A row of numbers that looks random and is the same at every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** What a decision may read of everything that there is in this test. */
function readAll(tables: Tables): Record<string, unknown> {
  const { machines, machineFiles, leases, quarantines, attempts, redemptions, clusters, calls, images } =
    tables
  const found: Record<string, unknown> = { 'fleet hold': calls.fleetHold() }
  for (const id of CLUSTERS) found[`cluster ${id}`] = clusters.byId(id)
  for (const id of IMAGES) found[`image ${id}`] = images.byId(id)
  for (const one of MACS) {
    found[`machine ${one}`] = machines.byMac(one)
    found[`known ${one}`] = machines.knowsMac(one)
    for (const subnet of SUBNETS) found[`lease ${subnet} ${one}`] = leases.byMac(subnet, one)
  }
  for (const address of ADDRESSES) {
    found[`lease ${address}`] = leases.atAddress(address)
    found[`reserved ${address}`] = machines.reservedFor(address)
    found[`quarantined ${address}`] = quarantines.untilMs(address)
  }
  for (const id of MACHINES) {
    found[`latest ${id}`] = attempts.latestOf(id)
    found[`machine ${id}`] = machines.byId(id)
    found[`files ${id}`] = machineFiles.of(id)
  }
  for (const bootId of BOOTS) {
    found[`boot ${bootId}`] = attempts.byId(bootId)
    found[`tokens ${bootId}`] = redemptions.standingOf(bootId)
  }
  return found
}

function anEffect(below: (most: number) => number, step: number): Effect {
  const pick = <One>(all: readonly One[]): One => all[below(all.length)] as One
  const [one, address, machineId, bootId] = [pick(MACS), pick(ADDRESSES), pick(MACHINES), pick(BOOTS)]
  const atMs = NOW + step
  const effects: readonly Effect[] = [
    {
      kind: 'put-lease',
      lease: aLease({
        ...{ subnet: pick(SUBNETS), mac: one, address, grantedAtMs: atMs },
        expiresAtMs: atMs + below(3),
      }),
    },
    { kind: 'release-lease', subnet: pick(SUBNETS), mac: one, atMs },
    {
      kind: 'quarantine-address',
      ...{ subnet: pick(SUBNETS), address, mac: one, untilMs: atMs, why: 'declined' },
    },
    { kind: 'put-machine', machine: machineOf(machineId, below(2) === 0 ? address : undefined, one) },
    { kind: 'set-machine-state', machineId, state: pick(['armed', 'ready'] as const) },
    { kind: 'arm-machine', machineId, untilMs: atMs },
    { kind: 'hold-machine', machineId, reason: 'operator' },
    { kind: 'note-identity', machineId, serial: `${step}` },
    { kind: 'make-attempt-current', bootId, machineId: bootId.slice(0, 2), atMs },
    { kind: 'delete-machine', machineId },
    {
      kind: 'begin-attempt',
      attempt: anAttempt({ bootId, machineId: bootId.slice(0, 2), startedAtMs: atMs }),
    },
    { kind: 'reach-stage', bootId, stage: 'loader-sent', atMs, bytes: 1, retries: 0 },
    aMint(bootId, step, below),
    { kind: 'revoke-boot-tokens', machineId, atMs },
    { kind: 'heard-from', bootId, atMs },
    { kind: 'end-attempt', bootId, end: 'local', atMs },
    { kind: 'loader-override-sent', bootId, atMs },
    { kind: 'note-clock', bootId, skewMs: step, atMs },
    { kind: 'bind-attempt-epoch', bootId, epoch: step },
  ]
  return pick([...effects, ...ofOperators(below, step, machineId)])
}

/** What operators and probes write, and every script reads. */
function ofOperators(below: (most: number) => number, step: number, machineId: string): readonly Effect[] {
  const [clusterId, imageId] = [CLUSTERS[below(2)] ?? 'c1', IMAGES[below(2)] ?? 'i1']
  const cluster = aCluster({ id: clusterId, name: clusterId, held: below(2) === 0 })
  const { founding, probe: _probe, ...settled } = cluster
  const path = `etc/file-${below(2)}`
  return [
    { kind: 'put-cluster', cluster: settled },
    { kind: 'put-founding', clusterId, founding: { ...founding, epoch: step, nextEpoch: step + 1 } },
    { kind: 'put-probe', clusterId, probe: aProbe({ atMs: NOW + step }) },
    { kind: 'put-fleet-hold', hold: below(2) === 0 ? {} : undefined },
    { kind: 'put-image', image: anImage({ id: imageId }) },
    { kind: 'set-image-state', imageId, state: below(2) === 0 ? 'retired' : 'withdrawn', why: `${step}` },
    { kind: 'delete-image', imageId },
    {
      kind: 'put-machine-file',
      machineId,
      file: { path, mode: 0o600, content: Uint8Array.of(step & 255) },
    },
    { kind: 'remove-machine-file', machineId, path },
  ]
}

/** One of few tokens, so that some are refused: they were minted before. */
function aMint(bootId: string, step: number, below: (most: number) => number): Effect {
  const times = { atMs: NOW + step, expiresAtMs: NOW + step + 1, capMs: NOW + step + 2 }
  const tokenSha256 = `${step}-${below(2)}`
  return {
    kind: 'mint-boot-token',
    ...{ tokenSha256, bootId, machineId: bootId.slice(0, 2), address: ip('10.77.0.10'), ...times },
  }
}

function machineOf(id: string, reserved: Ipv4 | undefined, one: (typeof MACS)[number]) {
  const { clusterId: _cluster, imageId: _image, reservedAddress: _reserved, ...machine } = aMachine()
  const reservation = reserved === undefined ? {} : { reservedAddress: reserved }
  return { ...machine, ...reservation, id, name: id, macs: [one] }
}

t.test(
  'whatever is written, refused or taken back: what is remembered is what the database says',
  async (t) => {
    const engine = openEngine(t)
    const fresh = tablesOn(engine.db, ServerKey.at(scratchDir(t)), 0)
    const below = numbers(20_261_124)
    const differing: string[] = []
    let [done, refused] = [0, 0]
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const units = Array.from({ length: 1 + below(4) }, (_, index) =>
        engine.decider.decide(
          (tables) => readAll(tables),
          () => {
            const effects = Array.from({ length: 1 + below(3) }, () => anEffect(below, batch * 10 + index))
            return { reply: undefined, reason: 'test', effects }
          },
        ),
      )
      for (const { status } of await Promise.allSettled(units)) {
        if (status === 'fulfilled') done += 1
        else refused += 1
      }
      engine.decider.commitOpen()
      const [remembered, read] = [readAll(engine.tables), readAll(fresh)]
      for (const key of Object.keys(read)) {
        if (JSON.stringify(remembered[key]) !== JSON.stringify(read[key])) differing.push(`${batch}: ${key}`)
      }
    }
    t.same(differing.slice(0, 5), [])
    t.ok(done > BATCHES / 2, `${done} units were carried out`)
    t.ok(refused > BATCHES / 10, `${refused} units were refused`)
  },
)
