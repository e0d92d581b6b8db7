import t from 'tap'
import { TOKEN_LIFE_MS } from '../../../src/policy/boot/boot-token.ts'
import { type Beacon, type BeaconSnapshot, decideBeacon } from '../../../src/policy/boot/decide-beacon.ts'
import { aMachine, anAttempt, effectsOf, mac, NOW } from '../../support/builders.ts'

// What a boot script and a stage 1 say of files that another server sends, and what that does to the boot token: this
// server sees no byte of them (boot.image_base_url).

const MAC = mac('02:00:00:00:00:01')

function aSnapshot(changes: Partial<BeaconSnapshot> = {}): BeaconSnapshot {
  return {
    nowMs: NOW,
    machine: aMachine({ macs: [MAC], state: 'booting' }),
    latestAttempt: anAttempt({ stage: 'initrd-sent' }),
    ...changes,
  }
}

function decide(stage: string, { bytes = 1000, ...more }: Partial<Beacon> = {}, snapshot = aSnapshot()) {
  return decideBeacon(snapshot, { mac: MAC, stage, bytes, ...more })
}

const EXTENDED = [{ bootId: 'b1', atMs: NOW, untilMs: NOW + TOKEN_LIFE_MS }]

t.test(
  'each file that is here, and a root that grows or waits in a line, gives the token its time anew',
  (t) => {
    const telling = ['kernel-sent', 'initrd-sent', 'squashfs-progress', 'squashfs-waiting', 'squashfs-loaded']
    for (const stage of telling)
      t.match(effectsOf(decide(stage).effects, 'extend-boot-tokens'), EXTENDED, stage)
    t.end()
  },
)

t.test('how far the root is stands in the attempt, with the length that it should have', (t) => {
  const snapshot = aSnapshot({ rootFileBytes: 4000 })
  t.match(effectsOf(decide('squashfs-progress', {}, snapshot).effects, 'note-trace'), [
    { note: { kind: 'http', key: 'squashfs-progress', facts: { bytes: 1000, file_bytes: 4000 } } },
  ])
  t.match(effectsOf(decide('squashfs-waiting', { bytes: 0 }).effects, 'note-trace'), [
    { note: { key: 'squashfs-waiting', facts: { bytes: 0 } } },
  ])
  t.end()
})

t.test('the same number again is a sign of life, and no byte that moved', (t) => {
  for (const [told, bytes] of [
    [1000, 1000],
    [undefined, 0],
  ] as const) {
    const snapshot = aSnapshot(told === undefined ? {} : { rootBytesTold: told })
    const { effects, reason } = decide('squashfs-progress', { bytes }, snapshot)
    t.equal(reason, 'root-not-moving')
    t.match(effects, [{ kind: 'heard-from', bootId: 'b1' }])
    t.equal(effects.length, 1)
  }
  const anew = decide('squashfs-progress', { bytes: 10 }, aSnapshot({ rootBytesTold: 1000 }))
  t.match(effectsOf(anew.effects, 'extend-boot-tokens'), EXTENDED, 'fetched once more from its first byte')
  t.end()
})

t.test('nothing is extended for an address that is nobody’s, or another machine’s', (t) => {
  const { machine: _, ...nobody } = aSnapshot()
  for (const [snapshot, told] of [
    [nobody, MAC],
    [aSnapshot(), mac('02:00:00:00:00:02')],
  ] as const) {
    const { effects, reason } = decide('squashfs-progress', { mac: told }, snapshot)
    t.equal(reason, 'foreign-beacon')
    t.strictSame(effects, [])
  }
  t.end()
})

t.test('nor for a boot that is over, has its configuration, or was never begun', (t) => {
  const { latestAttempt: _, ...without } = aSnapshot()
  const ended = aSnapshot({
    latestAttempt: anAttempt({ stage: 'initrd-sent', endedAtMs: NOW - 1, end: 'failed' }),
  })
  const redeemed = aSnapshot({ latestAttempt: anAttempt({ stage: 'config-redeemed' }) })
  for (const snapshot of [without, ended, redeemed])
    for (const stage of ['squashfs-progress', 'squashfs-waiting'])
      t.strictSame(decide(stage, {}, snapshot).effects, [])
  t.end()
})

t.test('a stage that nobody knows is a line in the log', (t) => {
  t.match(decide('squashfs-imagined'), { reason: 'no-stage', effects: [] })
  t.end()
})
