import t from 'tap'
import type { Machine } from '../../../src/model/machine.ts'
import { PARKING_SENTENCES } from '../../../src/policy/boot/choose-script.ts'
import { decideScript, type ScriptSnapshot } from '../../../src/policy/boot/decide-script.ts'
import { DEFAULT_IMAGE_LIMITS } from '../../../src/policy/image/preflight.ts'
import {
  aFoundedCluster,
  aLease,
  aMachine,
  anAttempt,
  anImage,
  cidr,
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
    recentBoots: [],
    latestAttempt: anAttempt({ stage: 'loader-sent' }),
    lease: aLease(),
    leasedToMachineId: 'm1',
    leaseSeconds: 3600,
    bootUrl: 'http://10.77.0.1:8080',
    imageBaseUrl: 'http://10.77.0.1:8080/images',
    imageLimits: DEFAULT_IMAGE_LIMITS,
    freshBytes: new Uint8Array(32).fill(7),
    freshToken: { text: 'token-text', sha256: 'token-hash' },
    ...changes,
  }
}

/** A machine whose arm was spent. */
function unarmed(state: Machine['state']): Machine {
  const { armedUntilMs: _spent, ...machine } = aMachine({ state })
  return machine
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

t.test('a root of its own: its URL, its length and its hash are on the command line', async (t) => {
  const root = {
    name: 'root.squashfs',
    role: 'squashfs',
    bytes: 41_246_720,
    sha256: 'ab'.repeat(32),
  } as const
  const image = anImage({ files: [...anImage().files, root] })
  const { reply } = decideScript(snapshot({ image }), request)
  const own =
    'pilotlight.squashfs=http://10.77.0.1:8080/images/i1/root.squashfs pilotlight.squashfs_bytes=41246720 ' +
    `pilotlight.squashfs_sha256=${'ab'.repeat(32)} pilotlight.url=`
  t.match(reply, { kind: 'script', text: own })
  t.notMatch(decideScript(snapshot(), request).reply, { text: /squashfs/ })
})

t.test('a boot keeps the image that it began with, and a new boot gets what is promoted now', async (t) => {
  const began = anImage({ id: 'i-old' })
  const world = { machine: namedMachine(), image: anImage({ id: 'i-new' }), pinnedImage: began }
  const again = decideScript(snapshot(world), request)
  t.match(again.reply, { text: /images\/i-old\/bzImage/ })
  t.match(effectsOf(again.effects, 'pin-image'), [{ bootId: 'b1', imageId: 'i-old' }])
  const ended = anAttempt({ stage: 'ready', endedAtMs: NOW - 1 })
  const anew = decideScript(snapshot({ ...world, latestAttempt: ended }), request)
  t.match(anew.reply, { text: /images\/i-new\/bzImage/ })
  const withdrawn = { ...world, pinnedImage: { ...began, state: 'withdrawn' } as const }
  t.match(decideScript(snapshot(withdrawn), request).reply, { text: /images\/i-new\/bzImage/ })
})

t.test('a script that is asked for again writes only its token', async (t) => {
  const machine = { ...namedMachine(), state: 'booting' } as const
  const image = anImage({ id: 'i-same' })
  const latestAttempt = anAttempt({ imageId: 'i-same' })
  const { effects } = decideScript(snapshot({ machine, image, pinnedImage: image, latestAttempt }), request)
  t.equal(effectsOf(effects, 'mint-boot-token').length, 1)
  t.strictSame([...effectsOf(effects, 'set-machine-state'), ...effectsOf(effects, 'pin-image')], [])
})

t.test('kernel arguments of the machine follow those of the image, before our own', async (t) => {
  const machine = aMachine({ kernelArguments: ['console=ttyS1,115200', 'nomodeset'] })
  const { reply } = decideScript(snapshot({ machine }), request)
  t.match(reply, { text: / console=ttyS0 console=ttyS1,115200 nomodeset pilotlight\.url=/ })
})

t.test('a HEAD sees a script and mints nothing', async (t) => {
  const { reply, effects } = decideScript(snapshot(), { ...request, isHead: true })
  t.strictSame(effects, [])
  t.notMatch(reply.kind === 'script' ? reply.text : '', /token-text/)
})

function namedMachine() {
  return { ...machineWithout('imageId'), imageName: 'control-plane' }
}

function machineWithout(field: 'imageId' | 'reservedAddress') {
  const { [field]: _, ...machine } = aMachine()
  return machine
}

function sizedImage(initrdMib: number) {
  const [kernel] = anImage().files
  return anImage({
    files: [kernel!, { name: 'initrd', role: 'initrd', bytes: initrdMib * 1024 * 1024, sha256: 'bb' }],
  })
}

const parked = [
  ['not-accepted', { machine: undefined }],
  ['not-accepted', { machine: aMachine({ state: 'discovered' }) }],
  ['held', { machine: aMachine({ state: 'held' }) }],
  ['held-by-server', { machine: aMachine({ state: 'held', holdReason: 'identity' }) }],
  ['held-by-server', { machine: aMachine({ state: 'held', holdReason: 'boot-loop' }) }],
  ['failed', { machine: unarmed('failed') }],
  ['not-armed', { machine: aMachine({ state: 'enrolled' }) }],
  ['arm-expired', { machine: aMachine({ armedUntilMs: NOW }) }],
  ['no-image', { image: undefined }],
  ['no-image', { machine: machineWithout('imageId') }],
  ['image-not-promoted', { image: undefined, machine: namedMachine() }],
  ['image-withdrawn', { image: anImage({ state: 'withdrawn' }) }],
  ['image-retired', { image: anImage({ state: 'retired' }) }],
  [
    'image-withdrawn',
    { image: anImage({ state: 'withdrawn' }), pinnedImage: anImage({ state: 'withdrawn' }) },
  ],
  ['wrong-architecture', { latestAttempt: anAttempt({ stage: 'loader-sent', architecture: 11 }) }],
  ['too-little-memory', { machine: aMachine({ ramMib: 1024 }) }],
  ['image-too-large', { image: sizedImage(2049), latestAttempt: anAttempt({ architecture: 0 }) }],
  ['no-cluster', { hasCluster: false }],
  ['address-not-leased', { leasedToMachineId: 'somebody-else' }],
  ['address-not-leased', { leasedToMachineId: undefined }],
  [
    'address-not-stated',
    {
      foreign: { subnet: cidr('10.77.0.0/24'), bindsAddress: false, statedForMachineId: 'm2' },
      machine: machineWithout('reservedAddress'),
    },
  ],
  ['already-redeemed', { machine: unarmed('first-boot') }],
  ['ready-not-rearmed', { machine: unarmed('ready') }],
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

t.test('where another server leases, what it said is remembered: files follow it by that', async (t) => {
  const foreign = { subnet: cidr('10.77.0.0/24'), bindsAddress: false }
  const { reason, effects } = decideScript(
    snapshot({ foreign, leasedToMachineId: undefined } as never),
    request,
  )
  t.equal(reason, 'armed')
  t.match(effectsOf(effects, 'overhear-address'), [{ mac: request.mac, address: request.address }])
  t.strictSame(
    effectsOf(decideScript(snapshot(), request).effects, 'overhear-address'),
    [],
    'a lease says it better',
  )
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

const acceptedAs = { mac: request.mac, address: request.address, uuid: 'u1' }
const back = { ...request, uuid: 'u1' }
const redeemed = (number: number) =>
  anAttempt({ bootId: `old${number}`, status: 'superseded', end: 'superseded', startedAtMs: NOW - 60_000 })

t.test('a machine that was ready boots again without a person, as the same machine', async (t) => {
  const machine = { ...unarmed('ready'), acceptedAs }
  const { reason, effects } = decideScript(snapshot({ machine, cluster: aFoundedCluster() }), back)
  t.equal(reason, 'rearmed')
  t.equal(effectsOf(effects, 'mint-boot-token').length, 1)
  t.match(effectsOf(effects, 'arm-machine'), [{ untilMs: NOW + 1_800_000 }])
  t.strictSame(effectsOf(effects, 'set-machine-state'), [], 'it counts as ready until it redeems')
  t.ok(eventTypes(effects).includes('machine.rearmed'))
})

t.test(
  're-arm: an arm that nobody used does not keep a machine from coming back after a dark hour',
  async (t) => {
    const cluster = aFoundedCluster()
    for (const state of ['armed', 'booting'] as const) {
      const machine = { ...unarmed(state), acceptedAs, armedUntilMs: NOW - 1 }
      const { reason, effects } = decideScript(snapshot({ machine, cluster }), back)
      t.equal(reason, 'rearmed', state)
      t.equal(effectsOf(effects, 'mint-boot-token').length, 1)
      const other = decideScript(snapshot({ machine, cluster }), { ...back, uuid: 'u2' })
      t.match(effectsOf(other.effects, 'hold-machine'), [{ reason: 'identity' }])
      const never = { ...unarmed(state), armedUntilMs: NOW - 1 }
      t.equal(decideScript(snapshot({ machine: never, cluster }), back).reason, 'arm-expired', 'a first boot')
      const open = aFoundedCluster({ founding: { ...cluster.founding, state: 'open' } })
      t.equal(
        decideScript(snapshot({ machine, cluster: open }), back).reason,
        'arm-expired',
        'it might found',
      )
    }
  },
)

t.test(
  're-arm: at another port of the relay, or of none, it is held; where none was known nothing is compared',
  async (t) => {
    const cluster = aFoundedCluster()
    const at = (was: string | undefined, relayPort: string | undefined) => {
      const known = was === undefined ? acceptedAs : { ...acceptedAs, relayPort: was }
      const machine = { ...unarmed('ready'), acceptedAs: known }
      const seen = relayPort === undefined ? {} : { relayPort }
      return decideScript(snapshot({ machine, cluster, ...seen }), back)
    }
    t.equal(at('10.1.0.1 0a/', '10.1.0.1 0a/').reason, 'rearmed')
    t.equal(at(undefined, '10.1.0.1 0a/').reason, 'rearmed')
    for (const other of ['10.1.0.1 0b/', '10.1.0.2 0a/', undefined]) {
      const { effects } = at('10.1.0.1 0a/', other)
      t.match(effectsOf(effects, 'hold-machine'), [{ reason: 'identity' }], String(other))
      t.match(effectsOf(effects, 'append-event'), [
        { event: { data: { detail: /^the relay’s port is .*, was 10\.1\.0\.1 0a\// } } },
      ])
      t.strictSame(effectsOf(effects, 'mint-boot-token'), [])
    }
  },
)

t.test('re-arm: another identity and a fourth boot in half an hour are held, manual waits', async (t) => {
  const machine = { ...unarmed('ready'), acceptedAs }
  const cluster = aFoundedCluster()
  const other = decideScript(snapshot({ machine, cluster }), { ...back, uuid: 'u2' })
  t.match(effectsOf(other.effects, 'hold-machine'), [{ reason: 'identity' }])
  t.match(effectsOf(other.effects, 'set-machine-state'), [{ state: 'held' }])
  t.strictSame(effectsOf(other.effects, 'mint-boot-token'), [])
  const recentBoots = [redeemed(1), redeemed(2), redeemed(3)]
  const loop = decideScript(snapshot({ machine, cluster, recentBoots }), back)
  t.match(effectsOf(loop.effects, 'hold-machine'), [{ reason: 'boot-loop' }])
  t.match(loop.reply, { text: new RegExp(PARKING_SENTENCES['held-by-server'].replace(/[()]/g, '.')) })
  t.match(effectsOf(loop.effects, 'append-event'), [
    { event: { data: { cure: 'look at it, then pilotlight machine arm node01' } } },
  ])
  const manual = aFoundedCluster({ settings: { rearm: 'manual' } })
  t.equal(decideScript(snapshot({ machine, cluster: manual }), back).reason, 'ready-not-rearmed')
  const paused = aFoundedCluster({ founding: { ...cluster.founding, isRearmPaused: true } })
  t.equal(decideScript(snapshot({ machine, cluster: paused }), back).reason, 'ready-not-rearmed')
})

t.test('F13: a held cluster and a held fleet park an armed machine; a hold at a step does not', async (t) => {
  const held = aFoundedCluster({ held: true })
  t.equal(decideScript(snapshot({ cluster: held }), request).reason, 'cluster-held')
  t.equal(decideScript(snapshot({ fleetHold: {} }), request).reason, 'cluster-held')
  const later = aFoundedCluster({ held: true, holdStep: 'flaredb-cluster-join' })
  t.equal(decideScript(snapshot({ cluster: later }), request).reason, 'armed')
})
