import t from 'tap'
import { decideRedeem } from '../../../src/policy/first-boot/decide-redeem.ts'
import type { RedeemRequest, RedeemSnapshot } from '../../../src/policy/first-boot/redeem-snapshot.ts'
import {
  aCluster,
  aFoundedCluster,
  aFounding,
  aMachine,
  aMember,
  anAttempt,
  aProbe,
  aSlot,
  cidr,
  effectsOf,
  eventTypes,
  ip,
  mac,
  NOW,
} from '../../support/builders.ts'

const NONCE = '0123456789abcdef0123456789abcdef'
const request: RedeemRequest = {
  mac: mac('02:00:00:00:00:01'),
  address: ip('10.77.0.11'),
  nonce: NONCE,
  spends: true,
}

function snapshot(changes: Partial<RedeemSnapshot> = {}): RedeemSnapshot {
  return {
    nowMs: NOW,
    machine: aMachine({ state: 'booting' }),
    token: {
      bootId: 'b1',
      machineId: 'm1',
      address: ip('10.77.0.11'),
      expiresAtMs: NOW + 60_000,
      isSpent: false,
      isRevoked: false,
    },
    attempt: anAttempt({ stage: 'initrd-sent' }),
    leasedToMachineId: 'm1',
    cluster: aCluster(),
    members: [],
    slots: [],
    serviceFoundings: [],
    othersBound: 0,
    controlPlaneAddresses: [ip('10.77.0.12')],
    serverId: 's1',
    bootUrl: 'http://10.77.0.1:8080',
    reportToken: 'b1.report-token',
    ...changes,
  }
}

function configOf(changes: Partial<RedeemSnapshot> = {}): Record<string, unknown> {
  const { reply } = decideRedeem(snapshot(changes), request)
  if (reply.kind !== 'config') throw new Error(`got ${reply.kind}`)
  return JSON.parse(reply.text)
}

t.test('F1: the first armed control-plane machine of an open cluster founds it', async (t) => {
  const { reason, effects } = decideRedeem(snapshot(), request)
  t.equal(reason, 'F1')
  t.match(effectsOf(effects, 'put-founding'), [
    { founding: { state: 'granted', epoch: 1, nextEpoch: 2, holderMachineId: 'm1', holderBootId: 'b1' } },
  ])
  t.match(effectsOf(effects, 'redeem'), [{ redemption: { bootstrap: true, epoch: 1, nonce: NONCE } }])
  t.match(effectsOf(effects, 'bind-attempt-epoch'), [{ epoch: 1 }])
  t.match(effectsOf(effects, 'make-attempt-current'), [{ bootId: 'b1', machineId: 'm1' }])
  t.match(effectsOf(effects, 'arm-machine'), [{ untilMs: undefined }], 'the arm is spent')
  t.match(effectsOf(effects, 'set-machine-state'), [{ state: 'first-boot' }])
  t.notMatch(JSON.stringify(effectsOf(effects, 'append-event')), /report-token/, 'no secret in an event')
  t.match(configOf(), {
    schema_version: 1,
    node_id: 'node01',
    bootstrap: true,
    bootstrap_epoch: 1,
    leader_url: null,
    keep_data: null,
    member_id: 'node01.1',
    raft_addr: '10.77.0.11:2380',
    initial_peers: ['10.77.0.12:2380', '10.77.0.11:2380'],
    provisioning: {
      report_url: 'http://10.77.0.1:8080/machines/02-00-00-00-00-01/reports',
      report_token: 'b1.report-token',
    },
  })
})

t.test('F3: workers, later machines and those not reserved do not bootstrap', async (t) => {
  const granted = aFounding({
    state: 'granted',
    epoch: 1,
    nextEpoch: 2,
    holderMachineId: 'm9',
    holderBootId: 'b9',
  })
  const cases: Partial<RedeemSnapshot>[] = [
    { machine: aMachine({ state: 'booting', role: 'worker' }) },
    { cluster: aCluster({ founding: granted }) },
    { cluster: aCluster({ founding: aFounding({ reservedFor: 'm9' }) }) },
  ]
  for (const changes of cases) {
    const { reason, effects } = decideRedeem(snapshot(changes), request)
    t.equal(reason, 'F3')
    t.strictSame(effectsOf(effects, 'put-founding'), [])
    t.equal(configOf(changes).bootstrap, false)
  }
  const named = configOf({ cluster: aCluster({ founding: granted }), holderAddress: ip('10.77.0.12') })
  t.equal(named.leader_url, 'https://10.77.0.12:2379', 'the founder is the leader to be')
})

t.test(
  'F4: the holder that comes again founds again, under a new epoch and from a clean start',
  async (t) => {
    const founding = aFounding({
      state: 'granted',
      epoch: 1,
      nextEpoch: 2,
      holderMachineId: 'm1',
      holderBootId: 'b0',
    })
    const { reason, effects } = decideRedeem(
      snapshot({
        cluster: aCluster({ founding }),
        slots: [aSlot('chainfire-cluster-join', { state: 'held', machineId: 'm1', bootId: 'b0', slotNo: 1 })],
        members: [aMember({ bootId: 'b0', state: 'joining' })],
        serviceFoundings: [
          { clusterId: 'c1', service: 'flaredb', state: 'granted', epoch: 1, machineId: 'm1' },
        ],
      }),
      request,
    )
    t.equal(reason, 'F4')
    t.match(effectsOf(effects, 'put-founding'), [
      { founding: { epoch: 2, nextEpoch: 3, holderBootId: 'b1' } },
    ])
    t.match(
      effectsOf(effects, 'put-slot'),
      [{ slot: { state: 'free', slotNo: 1 } }],
      'E1: free, the number stays',
    )
    t.match(effectsOf(effects, 'put-service-founding'), [{ row: { state: 'none' } }])
    t.match(effectsOf(effects, 'put-member'), [{ member: { state: 'lost' } }])
  },
)

t.test('F9: once founded, everybody joins, the old founder too', async (t) => {
  const cluster = aFoundedCluster()
  const { reason, effects } = decideRedeem(
    snapshot({ cluster, members: [aMember({ bootId: 'b0' })] }),
    request,
  )
  t.equal(reason, 'F9')
  t.strictSame(effectsOf(effects, 'put-founding'), [], 'founded for ever')
  t.match(
    effectsOf(effects, 'put-member'),
    [{ member: { memberId: 'node01.1', state: 'lost' } }],
    'RAM is gone',
  )
  const config = configOf({ cluster, members: [aMember({ bootId: 'b0' })] })
  t.match(config, {
    bootstrap: false,
    keep_data: null,
    member_id: 'node01.2',
    leader_url: 'https://10.77.0.11:2379',
  })
})

t.test('a machine with the name of an earlier one gets no member id that the earlier one had', async (t) => {
  const cluster = aFoundedCluster()
  const earlier = { machineId: 'replaced', memberId: 'node01.4', incarnation: 4, bootId: 'b9' } as const
  for (const state of ['removed', 'member'] as const)
    t.match(configOf({ cluster, members: [aMember({ ...earlier, state })] }), { member_id: 'node01.5' })
  const other = aMember({ ...earlier, memberId: 'node011.4' })
  t.match(configOf({ cluster, members: [other] }), { member_id: 'node01.1' })
})

t.test('F9: a persistent member is told to keep its data', async (t) => {
  const cluster = aFoundedCluster({ stateKind: 'persistent' })
  const config = configOf({ cluster, members: [aMember({ bootId: 'b0' })] })
  t.match(config, { bootstrap: false, keep_data: 'node01.1', member_id: 'node01.1' })
})

t.test(
  'F9: a member on its way out keeps its data until it is out: its vote may be needed for that',
  async (t) => {
    const members = [
      aMember({ bootId: 'b0', state: 'removing' }),
      aMember({ bootId: 'b0', state: 'removing', service: 'flaredb' }),
    ]
    const config = configOf({ cluster: aFoundedCluster({ stateKind: 'persistent' }), members })
    t.match(config, { keep_data_by_service: { chainfire: 'node01.1', flaredb: 'node01.1' } })
  },
)

t.test('F9: RAM is gone with a member on its way out too', async (t) => {
  const members = [aMember({ bootId: 'b0', state: 'removing' })]
  const { effects } = decideRedeem(snapshot({ cluster: aFoundedCluster(), members }), request)
  t.match(effectsOf(effects, 'put-member'), [{ member: { memberId: 'node01.1', state: 'lost' } }])
})

t.test('the same nonce gets the same bytes, and grants nothing twice', async (t) => {
  const earlier = { nonce: NONCE, address: ip('10.77.0.11'), configText: 'the bytes\n' }
  const token = {
    bootId: 'b1',
    machineId: 'm1',
    address: ip('10.77.0.11'),
    expiresAtMs: NOW - 1,
    isSpent: true,
    isRevoked: false,
  }
  const { reply, effects } = decideRedeem(snapshot({ earlier, token }), request)
  t.strictSame(reply, { kind: 'config', text: 'the bytes\n' })
  t.strictSame(effects, [])
})

const good = {
  bootId: 'b1',
  machineId: 'm1',
  address: ip('10.77.0.11'),
  expiresAtMs: NOW + 1,
  isSpent: false,
  isRevoked: false,
}
const earlier = { nonce: NONCE, address: ip('10.77.0.11'), configText: 'the bytes\n' }
const refusals: readonly (readonly [string, Partial<RedeemSnapshot>, Partial<RedeemRequest>])[] = [
  ['unknown-machine', { machine: undefined } as never, {}],
  ['unknown-token', { token: undefined } as never, {}],
  ['foreign-token', { token: { ...good, machineId: 'm2' } }, {}],
  ['wrong-address', { leasedToMachineId: 'm2' }, {}],
  ['wrong-address', { foreign: { subnet: cidr('10.78.0.0/24'), bindsAddress: false } }, {}],
  ['wrong-address', { leasedToMachineId: undefined } as never, {}],
  ['used-token', { token: { ...good, isSpent: true } }, {}],
  ['used-token', { token: { ...good, isRevoked: true } }, {}],
  ['expired-token', { token: { ...good, expiresAtMs: NOW } }, {}],
  ['not-armed', { machine: aMachine({ state: 'held' }) }, {}],
  ['superseded-boot', { attempt: anAttempt({ status: 'superseded' }) }, {}],
  ['no-cluster', { cluster: undefined } as never, {}],
  ['already-redeemed', { earlier: { ...earlier, nonce: 'f'.repeat(32) } }, {}],
  ['already-redeemed', { earlier: { nonce: NONCE, address: ip('10.77.0.11') } }, {}],
]
for (const [reason, changes, asked] of refusals) {
  t.test(`refused: ${reason}, with one uniform answer and an event`, async (t) => {
    const decision = decideRedeem(snapshot(changes), { ...request, ...asked })
    t.strictSame(decision.reply, { kind: 'refused' })
    t.equal(decision.reason, reason)
    t.strictSame(eventTypes(decision.effects), ['token.refused'])
    t.equal(decision.effects.length, 1, 'nothing else changes')
  })
}

t.test('HEAD and Range spend nothing', async (t) => {
  const { reply, effects } = decideRedeem(snapshot(), { ...request, spends: false })
  t.match(reply, { kind: 'not-now' })
  t.strictSame(effects, [])
})

t.test('a frozen cluster hands out nothing, and the token stays good', async (t) => {
  const cluster = aCluster({ founding: aFounding({ state: 'frozen' }) })
  const { reply, effects } = decideRedeem(snapshot({ cluster }), request)
  t.match(reply, { kind: 'not-now' })
  t.strictSame(effectsOf(effects, 'redeem'), [])
})

t.test(
  'extra configuration: cluster under role under machine, key by key, never over our own keys',
  async (t) => {
    const settings = {
      extraConfig: { ntp: { servers: ['a'], pool: 'x' }, site: 'lab' },
      roleConfig: { 'control-plane': { ntp: { pool: 'y' } }, worker: { site: 'no' } },
    }
    const machine = aMachine({ state: 'booting', extraConfig: { site: 'rack 7' } })
    const config = configOf({ cluster: aCluster({ settings }), machine })
    t.strictSame(config.ntp, { servers: ['a'], pool: 'y' })
    t.equal(config.site, 'rack 7')
    t.equal(config.bootstrap, true)
  },
)

t.test('F2: a leader that answers already freezes the open cluster, and the token stays good', async (t) => {
  const cluster = aCluster({ probe: aProbe() })
  const { reply, reason, effects } = decideRedeem(snapshot({ cluster }), request)
  t.equal(reason, 'F2')
  t.match(reply, { kind: 'not-now' })
  t.match(effectsOf(effects, 'put-founding'), [
    { founding: { state: 'frozen', frozenFrom: 'open', frozenBy: 'leader-there' } },
  ])
  t.strictSame(effectsOf(effects, 'redeem'), [])
})

t.test('F4: another boot in the founding epoch freezes the cluster', async (t) => {
  const founding = aFounding({ state: 'doubtful', epoch: 1, nextEpoch: 2, holderMachineId: 'm1' })
  const { effects } = decideRedeem(snapshot({ cluster: aCluster({ founding }), othersBound: 1 }), request)
  t.match(effectsOf(effects, 'put-founding'), [{ founding: { state: 'frozen', frozenBy: 'bound-boot' } }])
})

t.test('F17: a cluster frozen while founded lets its members keep any data', async (t) => {
  const founding = aFounding({ state: 'frozen', frozenFrom: 'founded', epoch: 1, nextEpoch: 2 })
  t.match(configOf({ cluster: aCluster({ founding, stateKind: 'persistent' }) }), {
    keep_data: 'any',
    bootstrap: false,
  })
})

t.test('F9: after a restore that forgot the members, a lost cluster keeps their data too', async (t) => {
  for (const state of ['founded', 'lost'] as const) {
    const founding = aFounding({ state, epoch: 1, nextEpoch: 2, incarnationFloor: 1000, frozenBy: 'restore' })
    const config = configOf({ cluster: aCluster({ founding, stateKind: 'persistent' }) })
    t.match(config, { keep_data: 'any' }, state)
  }
})

t.test(
  'F9: after a restore, a join that nobody confirmed does not say that the data of before is gone',
  async (t) => {
    const founding = aFounding({
      state: 'founded',
      epoch: 1,
      nextEpoch: 2,
      incarnationFloor: 1000,
      frozenBy: 'restore',
    })
    const cluster = aCluster({ founding, stateKind: 'persistent' })
    const keep = (changes: Parameters<typeof aMember>[0]) => {
      const newer = { service: 'flaredb', bootId: 'b0', memberId: 'node01.1001', incarnation: 1001 } as const
      const config = configOf({ cluster, members: [aMember({ ...newer, ...changes })] })
      return (config as { keep_data_by_service: { flaredb: string | null } }).keep_data_by_service.flaredb
    }
    t.equal(keep({ state: 'joining' }), 'any', 'a repeat on the wire may have asked for it')
    t.equal(keep({ state: 'lost' }), 'any')
    t.equal(keep({ state: 'member', confirmedBy: 'report' }), 'node01.1001')
    t.equal(keep({ state: 'lost', confirmedBy: 'report' }), null, 'it was in with newer data')
  },
)

t.test('S13: data of a member by its own word is kept until the list has been asked', async (t) => {
  const keep = (changes: Parameters<typeof aMember>[0]) =>
    (
      configOf({
        cluster: aFoundedCluster({ stateKind: 'persistent' }),
        members: [aMember({ bootId: 'b0', ...changes })],
      }) as { keep_data: string | null }
    ).keep_data
  t.equal(keep({ state: 'joining', confirmedBy: 'report' }), 'node01.1')
  t.equal(keep({ state: 'joining' }), null, 'it never said so')
  t.equal(keep({ state: 'removed', confirmedBy: 'list' }), null)
})

t.test('S6: a machine that boots without its data makes the slot that it held suspect', async (t) => {
  const held = aSlot('chainfire-cluster-join', {
    state: 'held',
    machineId: 'm1',
    bootId: 'b0',
    memberId: 'node01.1',
  })
  const members = [aMember({ bootId: 'b0', state: 'joining' })]
  const { effects } = decideRedeem(snapshot({ cluster: aFoundedCluster(), slots: [held], members }), request)
  t.match(effectsOf(effects, 'put-slot'), [{ slot: { state: 'suspect' } }])
})
