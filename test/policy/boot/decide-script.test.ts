import t from 'tap'
import { PARKING_SENTENCES } from '../../../src/policy/boot/choose-script.ts'
import { decideScript, type ScriptSnapshot } from '../../../src/policy/boot/decide-script.ts'
import {
  aLease,
  aMachine,
  anAttempt,
  anImage,
  effectsOf,
  eventTypes,
  ip,
  mac,
  NOW,
} from '../../support/builders.ts'

const request = { mac: mac('02:00:00:00:00:01'), address: ip('10.77.0.11'), isHead: false }

function snapshot(changes: Partial<ScriptSnapshot> = {}): ScriptSnapshot {
  return {
    nowMs: NOW,
    machine: aMachine(),
    image: anImage(),
    hasCluster: true,
    latestAttempt: anAttempt({ stage: 'loader-sent' }),
    lease: aLease(),
    leasedToMachineId: 'm1',
    leaseSeconds: 3600,
    bootUrl: 'http://10.77.0.1:8080',
    imageBaseUrl: 'http://10.77.0.1:8080/images',
    freshBytes: new Uint8Array(32).fill(7),
    freshToken: { text: 'token-text', sha256: 'token-hash' },
    ...changes,
  }
}

t.test('an armed machine gets its image and a token that only its hash is kept of', async (t) => {
  const { reply, reason, effects } = decideScript(snapshot(), request)
  t.equal(reason, 'armed')
  t.match(reply, { kind: 'script' })
  const text = reply.kind === 'script' ? reply.text : ''
  t.ok(text.startsWith('#!ipxe\n'))
  t.match(
    text,
    /^kernel http:\/\/10\.77\.0\.1:8080\/images\/i1\/bzImage init=\/nix\/store\/system\/init initrd=initrd console=ttyS0 /m,
  )
  t.match(text, /pilotlight\.token=token-text /)
  t.match(text, /^initrd --name initrd http:\/\/10\.77\.0\.1:8080\/images\/i1\/initrd /m)
  const [minted] = effectsOf(effects, 'mint-boot-token')
  t.match(minted, {
    tokenSha256: 'token-hash',
    bootId: 'b1',
    machineId: 'm1',
    expiresAtMs: NOW + 900_000,
    capMs: NOW + 7_200_000,
  })
  t.notMatch(JSON.stringify(effects), /token-text/, 'the token itself is written nowhere')
  t.match(effectsOf(effects, 'set-machine-state'), [{ state: 'booting' }])
})

t.test('a HEAD sees a script and mints nothing', async (t) => {
  const { reply, effects } = decideScript(snapshot(), { ...request, isHead: true })
  t.strictSame(effects, [])
  t.notMatch(reply.kind === 'script' ? reply.text : '', /token-text/)
})

const parked = [
  ['not-accepted', { machine: undefined }],
  ['not-accepted', { machine: aMachine({ state: 'discovered' }) }],
  ['held', { machine: aMachine({ state: 'held' }) }],
  ['failed', { machine: aMachine({ state: 'failed' }) }],
  ['not-armed', { machine: aMachine({ state: 'enrolled' }) }],
  ['arm-expired', { machine: aMachine({ armedUntilMs: NOW }) }],
  ['no-image', { image: undefined }],
  ['no-cluster', { hasCluster: false }],
  ['address-not-leased', { leasedToMachineId: 'somebody-else' }],
  ['address-not-leased', { leasedToMachineId: undefined }],
  ['already-redeemed', { machine: aMachine({ state: 'first-boot' }) }],
  ['ready-not-rearmed', { machine: aMachine({ state: 'ready' }) }],
] as const

for (const [reason, changes] of parked) {
  t.test(`parked: ${reason} (${JSON.stringify(changes).slice(0, 60)})`, async (t) => {
    const decision = decideScript(snapshot(changes as Partial<ScriptSnapshot>), request)
    t.equal(decision.reason, reason)
    t.strictSame(effectsOf(decision.effects, 'mint-boot-token'), [], 'no token')
    const text = decision.reply.kind === 'script' ? decision.reply.text : ''
    t.match(text, PARKING_SENTENCES[reason], 'the console says why')
    t.match(text, /^sleep 5$/m)
    t.match(
      text,
      /^chain --replace --autofree http:\/\/10\.77\.0\.1:8080\/boot\/02-00-00-00-00-01\.ipxe \|\| goto poll$/m,
    )
  })
}

t.test('a machine in local mode leaves the loader by its method', async (t) => {
  const local = (localBoot: 'exit' | 'sanboot' | 'not-found') =>
    decideScript(snapshot({ machine: aMachine({ bootMode: 'local', localBoot }) }), request).reply
  t.match(local('exit'), { kind: 'script', text: /\nexit\n$/ })
  t.match(local('sanboot'), { kind: 'script', text: /\nsanboot --no-describe --drive 0x80 \|\| exit\n$/ })
  t.strictSame(local('not-found'), { kind: 'not-found' })
})

t.test('an installed machine boots from its disk, however it was armed', async (t) => {
  const machine = aMachine({ state: 'installed', bootMode: 'install' })
  t.equal(decideScript(snapshot({ machine }), request).reason, 'already-installed')
})

t.test('a parked machine keeps its lease by asking, once half of it is gone', async (t) => {
  const machine = aMachine({ state: 'enrolled' })
  const fresh = decideScript(snapshot({ machine }), request)
  t.strictSame(effectsOf(fresh.effects, 'put-lease'), [])
  const lease = aLease({ expiresAtMs: NOW + 1_000_000 })
  const half = decideScript(snapshot({ machine, lease }), request)
  t.match(effectsOf(half.effects, 'put-lease'), [{ lease: { expiresAtMs: NOW + 3_600_000 } }])
  const foreign = decideScript(snapshot({ machine, lease, leasedToMachineId: 'm2' }), request)
  t.strictSame(effectsOf(foreign.effects, 'put-lease'), [], 'nobody extends what is not his')
})

t.test('an armed machine that asks from a foreign address raises an event', async (t) => {
  const { effects } = decideScript(snapshot({ leasedToMachineId: 'm2' }), request)
  t.strictSame(eventTypes(effects), ['boot.foreign-address'])
})

t.test('what iPXE would read as syntax never gets into a script', async (t) => {
  for (const parameter of ['a b', 'x;y', '${uuid}', 'a&b', "quo'te", 'x\ny', 'a|b', '#c']) {
    const image = anImage({ parameters: [parameter] })
    t.throws(
      () => decideScript(snapshot({ image }), request),
      { code: 'unsafe-script-value' },
      JSON.stringify(parameter),
    )
  }
})

t.test('what a machine says of itself first is noted, and never written over', async (t) => {
  const claims = { ...request, uuid: '11111111-2222-3333-4444-555555555501', serial: 'SER-1' }
  t.match(effectsOf(decideScript(snapshot(), claims).effects, 'note-identity'), [
    { uuid: claims.uuid, serial: 'SER-1' },
  ])
  const known = aMachine({ uuid: 'another', serial: 'SER-0' })
  t.strictSame(effectsOf(decideScript(snapshot({ machine: known }), claims).effects, 'note-identity'), [])
})
