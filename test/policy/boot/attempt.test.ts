import t from 'tap'
import type { BootAttempt } from '../../../src/model/boot-attempt.ts'
import { attemptFor, uuidFrom } from '../../../src/policy/boot/attempt.ts'
import { anAttempt, effectsOf, NOW } from '../../support/builders.ts'

const freshBytes = new Uint8Array(32).fill(0xff)
const FRESH_ID = 'ffffffff-ffff-4fff-bfff-ffffffffffff'

const cases: readonly (readonly [
  string,
  BootAttempt | undefined,
  'dhcp' | 'script',
  'continues' | 'begins',
])[] = [
  ['the first packet of a machine', undefined, 'dhcp', 'begins'],
  ['firmware that repeats its DISCOVER', anAttempt({ stage: 'offered' }), 'dhcp', 'continues'],
  ['the iPXE that follows its loader', anAttempt({ stage: 'loader-sent' }), 'dhcp', 'continues'],
  ['a packet after the script went out', anAttempt({ stage: 'script-sent' }), 'dhcp', 'begins'],
  ['a packet after the kernel went out', anAttempt({ stage: 'kernel-sent' }), 'dhcp', 'begins'],
  [
    'a packet after ten silent minutes',
    anAttempt({ stage: 'offered', heardAtMs: NOW - 600_001 }),
    'dhcp',
    'begins',
  ],
  [
    'a packet after an attempt that ended',
    anAttempt({ stage: 'offered', endedAtMs: NOW - 1 }),
    'dhcp',
    'begins',
  ],
  ['a loader that asks for its script again', anAttempt({ stage: 'kernel-sent' }), 'script', 'continues'],
  ['a script fetch after the redemption', anAttempt({ stage: 'config-redeemed' }), 'script', 'begins'],
  ['a script fetch without any packet seen', undefined, 'script', 'begins'],
]

for (const [name, latest, via, what] of cases) {
  t.test(`${name} ${what} an attempt`, async (t) => {
    const { bootId, effects } = attemptFor(latest, { machineId: 'm1', via, nowMs: NOW, freshBytes })
    t.equal(bootId, what === 'begins' ? FRESH_ID : 'b1')
    t.equal(effectsOf(effects, 'begin-attempt').length, what === 'begins' ? 1 : 0)
  })
}

t.test('a new attempt is tentative: it harms nobody until it redeems', async (t) => {
  const { effects } = attemptFor(undefined, {
    machineId: 'm1',
    via: 'dhcp',
    architecture: 7,
    nowMs: NOW,
    freshBytes,
  })
  t.match(effectsOf(effects, 'begin-attempt'), [
    { attempt: { status: 'tentative', stage: 'offered', architecture: 7, startedAtMs: NOW } },
  ])
})

t.test('an id is a version 4 UUID, whatever the bytes', async (t) => {
  t.equal(uuidFrom(new Uint8Array(16)), '00000000-0000-4000-8000-000000000000')
  t.throws(() => uuidFrom(new Uint8Array(15)), /needs 16 random bytes, got 15/)
})
