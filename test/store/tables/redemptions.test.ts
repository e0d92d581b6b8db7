import t from 'tap'
import { conflictOf } from '../../../src/store/conflict.ts'
import { sha256Of } from '../../../src/store/tables/redemptions.ts'
import { aCluster, aMachine, anAttempt, anImage, ip, mac, NOW } from '../../support/builders.ts'
import { openTables, type Teardown } from '../../support/store-world.ts'

const ADDRESS = ip('10.77.0.11')
const MINUTE = 60_000

/** Two machines with a boot each: m1 in b1, m2 in b2. */
function setUp(t: Teardown) {
  const { db, tables } = openTables(t)
  tables.clusters.put(aCluster())
  tables.images.put(anImage())
  for (const n of [1, 2]) {
    const { reservedAddress: _, ...machine } = aMachine({
      id: `m${n}`,
      name: `node0${n}`,
      macs: [mac(`02:00:00:00:00:0${n}`)],
    })
    tables.machines.put(machine)
    tables.attempts.begin(anAttempt({ bootId: `b${n}`, machineId: `m${n}` }))
  }
  const { redemptions } = tables
  const mint = (tokenSha256: string, atMs = NOW, n = 1) =>
    redemptions.mint({
      tokenSha256,
      bootId: `b${n}`,
      machineId: `m${n}`,
      address: ADDRESS,
      atMs,
      expiresAtMs: atMs + 15 * MINUTE,
      capMs: atMs + 20 * MINUTE,
    })
  const redeem = (n: number, changes: { bootstrap?: boolean; epoch?: number; clusterId?: string } = {}) =>
    redemptions.redeem(
      { bootId: `b${n}`, clusterId: 'c1', bootstrap: false, nonce: 'n', address: ADDRESS, ...changes },
      `m${n}`,
      `the configuration of ${n}`,
      'settled',
      NOW,
    )
  return { db, redemptions, mint, redeem }
}

t.test(
  'the last three tokens of a boot are good, also when all were minted in the same millisecond',
  async (t) => {
    for (const between of [0, 1]) {
      const { redemptions, mint } = setUp(t)
      const hashes = ['z', 'y', 'x', 'm', 'b', 'a']
      for (const [n, hash] of hashes.entries()) mint(hash, NOW + n * between)
      const good = hashes.filter((hash) => redemptions.token(hash)?.isRevoked === false)
      t.equal(good.length, 3)
      t.ok(good.includes('a'), 'the newest is among them')
      if (between === 1) t.strictSame(good, ['m', 'b', 'a'], 'and the older ones are not')
    }
  },
)

t.test('a redemption spends the tokens of its boot, and voids what else the machine has', async (t) => {
  const { redemptions, mint, redeem } = setUp(t)
  mint('a')
  mint('b')
  mint('other', NOW, 2)
  redeem(1)
  t.match(redemptions.token('a'), { bootId: 'b1', machineId: 'm1', isSpent: true })
  t.match(redemptions.token('b'), { isSpent: true })
  t.match(redemptions.token('other'), { isSpent: false, isRevoked: false }, 'another machine’s stay')
  redemptions.revokeOf('m2', NOW)
  t.match(redemptions.token('other'), { isSpent: false, isRevoked: true })
  redemptions.revokeOf('m1', NOW)
  t.match(redemptions.token('a'), { isRevoked: false }, 'what was spent is not called revoked')
})

t.test('a boot redeems once, for a cluster that is there', async (t) => {
  const { redeem } = setUp(t)
  t.throws(() => redeem(1, { clusterId: 'gone' }), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  redeem(1)
  try {
    redeem(1)
    t.fail('twice')
  } catch (error) {
    t.match(conflictOf(error), { code: 'conflict', field: 'boot_id' })
  }
})

t.test('invariant 1: at most one redemption of a cluster and epoch bootstraps', async (t) => {
  const { redeem } = setUp(t)
  redeem(1, { bootstrap: true, epoch: 1 })
  t.throws(() => redeem(2, { bootstrap: true, epoch: 1 }), { code: 'SQLITE_CONSTRAINT_UNIQUE' })
  t.doesNotThrow(() => redeem(2, { bootstrap: true, epoch: 2 }), 'another epoch may')
})

t.test('what was handed out is kept sealed, then only its hash', async (t) => {
  const { db, redemptions, redeem } = setUp(t)
  redeem(1)
  const text = 'the configuration of 1'
  t.same(redemptions.ofBoot('b1'), { clusterId: 'c1', nonce: 'n', address: ADDRESS, configText: text })
  const sealed = db.prepare('SELECT config_sealed FROM redemption').pluck().get() as Buffer
  t.notOk(sealed.includes('configuration'), 'not readable in the file')
  redemptions.forgetConfig('b1')
  t.same(redemptions.ofBoot('b1'), { clusterId: 'c1', nonce: 'n', address: ADDRESS })
  t.same(redemptions.hashesOf('b1'), { configSha256: sha256Of(text), settledSha256: sha256Of('settled') })
  t.equal(redemptions.ofBoot('b2'), undefined)
  t.equal(redemptions.hashesOf('b2'), undefined)
})

t.test('a token’s time grows up to its cap, never back, and not from the dead', async (t) => {
  const { redemptions, mint } = setUp(t)
  const expiry = (hash: string) => ((redemptions.token(hash)?.expiresAtMs ?? 0) - NOW) / MINUTE
  mint('a')
  redemptions.extend('b1', NOW, NOW + MINUTE)
  t.equal(expiry('a'), 15, 'earlier than it has')
  redemptions.extend('b1', NOW, NOW + 18 * MINUTE)
  t.equal(expiry('a'), 18)
  redemptions.extendByDowntime({ fromMs: NOW, untilMs: NOW + MINUTE })
  t.equal(expiry('a'), 19)
  redemptions.extend('b1', NOW, NOW + 90 * MINUTE)
  t.equal(expiry('a'), 20, 'its cap')
  redemptions.extend('b1', NOW + 21 * MINUTE, NOW + 90 * MINUTE)
  redemptions.extendByDowntime({ fromMs: NOW + 21 * MINUTE, untilMs: NOW + 90 * MINUTE })
  t.equal(expiry('a'), 20, 'one that had expired stays so')
})
