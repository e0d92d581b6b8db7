import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Lease } from '../../src/model/lease.ts'
import { ipv4FromNumber, ipv4ToNumber } from '../../src/net/ipv4.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { Effect } from '../../src/policy/effect.ts'
import { Conflict } from '../../src/store/conflict.ts'
import { StoreUnavailable } from '../../src/store/disk-trouble.ts'
import { aLease, aMachine, aSubnet, ip, mac, NOW } from '../support/builders.ts'
import { type Engine, openEngine } from '../support/store-world.ts'

const FIRST = ipv4ToNumber(ip('10.77.0.0'))

/** The lease of client number n. */
function leaseOf(n: number): Lease {
  const tail = n.toString(16).padStart(4, '0')
  return aLease({
    mac: mac(`02:00:00:00:${tail.slice(0, 2)}:${tail.slice(2)}`),
    address: ipv4FromNumber(FIRST + n),
  })
}

function durable(n: number): Effect {
  return { kind: 'put-lease', lease: leaseOf(n) }
}

function trace(note: string): Effect {
  return { kind: 'append-event', event: { atMs: NOW, type: 'test', data: { note } } }
}

function decide(engine: Engine, ...effects: Effect[]): Promise<Decision<undefined>> {
  return engine.decider.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects }),
  )
}

/** Decides something that promises nothing. */
function decideTentatively(engine: Engine, ...effects: Effect[]): Promise<Decision<undefined>> {
  return engine.decider.decide(
    () => undefined,
    () => ({ reply: undefined, reason: 'test', effects, isTentative: true }),
  )
}

/** Decides and notes in `happened` when the answer left. */
function answerNoted(engine: Engine, name: string, ...effects: Effect[]): Promise<void> {
  return decide(engine, ...effects).then(() => void engine.happened.push(name))
}

function leases(engine: Engine): number {
  return engine.db.prepare('SELECT count(*) FROM lease').pluck().get() as number
}

function commits(engine: Engine): number {
  return engine.happened.filter((what) => what === 'COMMIT').length
}

t.test('batching: units that arrive together share one transaction', async (t) => {
  t.test('a turn that brought fewer than 32 is carried out at its end', async (t) => {
    const engine = openEngine(t)
    await Promise.all(Array.from({ length: 31 }, (_, n) => decide(engine, durable(n))))
    t.equal(commits(engine), 1)
    t.equal(leases(engine), 31)
  })

  t.test('a turn that brought 32 waits for what comes behind it', async (t) => {
    const engine = openEngine(t)
    const first = Array.from({ length: 32 }, (_, n) => decide(engine, durable(n)))
    await nextTurn()
    t.equal(leases(engine), 0, 'the socket may hold more: nothing is carried out yet')
    const second = decide(engine, durable(99))
    await Promise.all([...first, second])
    t.equal(commits(engine), 1)
    t.equal(leases(engine), 33)
  })

  t.test('at 512 units the batch goes, and the rest follows in the next', async (t) => {
    const engine = openEngine(t)
    const before: number[] = []
    const all = Array.from({ length: 600 }, (_, n) =>
      engine.decider.decide(
        () => void before.push(commits(engine)),
        () => ({ reply: undefined, reason: 'test', effects: [durable(n)] }),
      ),
    )
    await Promise.all(all)
    t.equal(before.filter((count) => count === 0).length, 512)
    t.equal(before.filter((count) => count === 1).length, 88)
    t.equal(leases(engine), 600)
  })

  t.test('no unit waits longer than 5 ms for others to come', async (t) => {
    const engine = openEngine(t)
    const all: Promise<unknown>[] = []
    const answers: undefined[] = []
    let turns = 0
    // Every turn brings 32 and lasts a millisecond: by number alone the batch would be due at the 16th.
    while (answers.length === 0 && turns < 100) {
      for (let n = 0; n < 32; n += 1) {
        all.push(decide(engine, durable(turns * 32 + n)).then(() => answers.push(undefined)))
      }
      engine.clocks.pass(1)
      turns += 1
      await nextTurn()
    }
    await Promise.all(all)
    t.equal(turns, 5, 'the turn that ends 5 ms after the first unit came')
    t.equal(leases(engine), turns * 32)
  })
})

t.test('answers', async (t) => {
  t.test('what promises something on the disk is answered after COMMIT, an offer before it', async (t) => {
    const engine = openEngine(t)
    const noted = (name: string) => () => void engine.happened.push(name)
    await Promise.all([
      answerNoted(engine, 'read of what is on the disk'),
      answerNoted(engine, 'lease 1', durable(1)),
      decideTentatively(engine, trace('offer')).then(noted('offer')),
      decideTentatively(engine).then(noted('silence')),
      answerNoted(engine, 'read of lease 1'),
      decideTentatively(engine, trace('first'), durable(2)).then(noted('lease 2')),
    ])
    t.same(engine.happened, [
      ...['read of what is on the disk', 'offer', 'silence'],
      ...['COMMIT', 'lease 1', 'read of lease 1', 'lease 2'],
    ])
  })

  t.test('a trace that was answered early is on the disk with the same commit', async (t) => {
    const engine = openEngine(t)
    await Promise.all([decide(engine, trace('offer')), decide(engine, durable(1))])
    t.same(
      engine.tables.events.after(0, 10).map((event) => event.data.note),
      ['offer'],
    )
    t.notOk(engine.db.inTransaction)
  })

  t.test('what arrives between the early answers and the COMMIT is in the next batch', async (t) => {
    const engine = openEngine(t)
    let later: Promise<unknown> | undefined
    await Promise.all([
      decide(engine, durable(1)),
      decide(engine, trace('offer')).then(() => {
        later = answerNoted(engine, 'lease 2', durable(2))
      }),
    ])
    await later
    t.equal(leases(engine), 2)
    t.equal(commits(engine), 2)
  })

  t.test('flush carries out what waits, the open batch included, before it returns', async (t) => {
    const engine = openEngine(t)
    const all = [decide(engine, trace('offer')), decide(engine, durable(1))]
    await nextTurn()
    all.push(decide(engine, durable(2)))
    engine.decider.flush()
    t.equal(leases(engine), 2)
    t.notOk(engine.db.inTransaction)
    await Promise.all(all)
  })
})

t.test('a disk that takes its time', async (t) => {
  /** An engine whose syncs end when the test says so. */
  function openSlow(t: Parameters<typeof openEngine>[0]) {
    const syncs: ((error?: Error) => void)[] = []
    const engine = openEngine(t, (done) => void syncs.push(done))
    /** Ends the sync under way. */
    const synced = async (error?: Error) => {
      engine.happened.push('synced')
      syncs.shift()?.(error)
      await nextTurn()
    }
    return { engine, syncs, synced }
  }

  t.test('answers wait for the sync, and units go on being decided meanwhile', async (t) => {
    const { engine, syncs, synced } = openSlow(t)
    void answerNoted(engine, 'lease 1', durable(1))
    await nextTurn()
    t.same(engine.happened, ['COMMIT'])
    t.same(engine.published, [], 'nobody is told of what may be lost')
    void answerNoted(engine, 'lease 2', durable(2))
    await nextTurn()
    void answerNoted(engine, 'lease 3', durable(3))
    await nextTurn()
    t.equal(leases(engine), 3)
    t.equal(syncs.length, 1, 'one sync at a time')
    await synced()
    t.equal(syncs.length, 1, 'the two that came meanwhile share the next')
    t.equal(engine.published.length, 1)
    await synced()
    t.same(engine.happened, [
      ...['COMMIT', 'COMMIT', 'COMMIT', 'synced', 'lease 1'],
      ...['synced', 'lease 2', 'lease 3'],
    ])
    t.equal(syncs.length, 0)
  })

  t.test(
    'what was decided on a lease that is not on the disk yet waits for it, an offer does not',
    async (t) => {
      const { engine, synced } = openSlow(t)
      void answerNoted(engine, 'lease 1', durable(1))
      await nextTurn()
      void answerNoted(engine, 'the lease once more')
      void decideTentatively(engine, trace('offer')).then(() => engine.happened.push('offer'))
      await nextTurn()
      await nextTurn()
      t.same(engine.happened, ['COMMIT', 'offer', 'COMMIT'])
      await synced()
      t.same(engine.happened.slice(3), ['synced', 'lease 1'])
      await synced()
      t.same(engine.happened.slice(5), ['synced', 'the lease once more'])
      await answerNoted(engine, 'a read', trace('nothing to wait for'))
      t.same(engine.happened.slice(7), ['a read'])
    },
  )

  t.test(
    'the time is on the disk before it is told of: a file beside the database witnesses it',
    async (t) => {
      const { engine, synced } = openSlow(t)
      const noted = { kind: 'note-time', atMs: NOW } as const
      void decide(engine, noted)
      await nextTurn()
      await nextTurn()
      t.same(engine.happened, ['COMMIT'])
      t.same(engine.published, [], 'a power cut now must not leave a witness of what the database has lost')
      await synced()
      t.same(engine.published, [noted])
    },
  )

  t.test('a sync that fails ends all: nobody is answered, and the server stops', async (t) => {
    const { engine, synced } = openSlow(t)
    const all = [decide(engine, durable(1))]
    await nextTurn()
    all.push(decide(engine, durable(2)))
    await nextTurn()
    const results = Promise.allSettled(all)
    await synced(Object.assign(new Error('i/o error'), { code: 'EIO' }))
    for (const result of await results) t.match(result, { reason: { code: 'store-unavailable' } })
    t.match(engine.fatal(), { code: 'store-unavailable' })
    t.same(engine.published, [])
    await t.rejects(decide(engine, durable(3)), { code: 'store-unavailable' })
  })

  t.test('flush syncs by itself, and the sync that was under way concerns nobody any more', async (t) => {
    const { engine, synced } = openSlow(t)
    const all = [decide(engine, durable(1))]
    await nextTurn()
    all.push(decide(engine, durable(2)))
    await nextTurn()
    engine.decider.flush()
    await Promise.all(all)
    t.same(engine.happened, ['COMMIT', 'COMMIT', 'sync now'])
    t.equal(engine.published.length, 2)
    await synced(new Error('too late'))
    t.equal(engine.fatal(), undefined)
  })
})

t.test('savepoints', async (t) => {
  t.test('a unit that throws undoes only itself; its neighbours commit', async (t) => {
    const engine = openEngine(t)
    const results = await Promise.allSettled([
      decide(engine, durable(1)),
      // The second effect names a boot that is not there: a bug, found after the first effect was written.
      decide(engine, durable(2), redeemOfNobody()),
      engine.decider.decide(
        () => undefined,
        (): Decision<undefined> => {
          throw new Error('a decision with a bug')
        },
      ),
      decide(engine, durable(3)),
    ])
    t.same(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    )
    t.match(results[2], { reason: /a decision with a bug/ })
    t.equal(commits(engine), 1)
    t.same(leaseNumbers(engine, 1, 2, 3), [1, 3])
  })

  t.test('nobody is answered by a run that is undone, and each neighbour is answered once', async (t) => {
    const engine = openEngine(t)
    let runs = 0
    const counted = engine.decider.decide(
      () => undefined,
      () => {
        runs += 1
        return { reply: runs, reason: 'test', effects: [] }
      },
    )
    const early = counted.then(() => void engine.happened.push('answer'))
    await t.rejects(decide(engine, redeemOfNobody()))
    await early
    t.equal((await counted).reply, 2, 'what was answered is what the second run decided')
    engine.decider.flush()
    t.same(engine.happened, ['ROLLBACK', 'answer', 'COMMIT'])
  })

  t.test('an offer that a failed unit made is gone, and its neighbours’ stay', async (t) => {
    const engine = openEngine(t)
    const offer = (n: number): Effect => {
      const { mac, address } = leaseOf(n)
      return { kind: 'put-offer', offer: { subnet: '10.77.0.0/24', mac, address, expiresAtMs: NOW } }
    }
    const results = await Promise.allSettled([
      decide(engine, offer(1)),
      decide(engine, offer(2), redeemOfNobody()),
      decide(engine, offer(3), durable(3)),
    ])
    t.same(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    const offered = [1, 2, 3].filter((n) => engine.tables.offers.at(leaseOf(n).address) !== undefined)
    t.same(offered, [1, 3])
  })

  t.test('a later unit of the batch sees what an earlier one did', async (t) => {
    const engine = openEngine(t)
    const pool = aSubnet().pool!
    const grant = (n: number) =>
      engine.decider.decide(
        (tables) =>
          tables.leases.poolCandidate('10.77.0.0/24', pool, mac('02:00:00:00:00:01'), {
            nowMs: NOW,
            avoid: new Set(),
            isHeld: () => true,
            isReserved: () => false,
          }),
        (address) => ({
          reply: address,
          reason: 'test',
          effects: [{ kind: 'put-lease', lease: aLease({ mac: leaseOf(n).mac, address: address! }) }],
        }),
      )
    const granted = await Promise.all([grant(1), grant(2), grant(3)])
    t.equal(new Set(granted.map(({ reply }) => reply)).size, 3, 'three addresses, none twice')
    t.equal(commits(engine), 1)
  })

  t.test('two units that want one name at once: the later one hears Conflict with the field', async (t) => {
    const engine = openEngine(t)
    const put = (id: string, tail: string) =>
      decide(engine, {
        kind: 'put-machine',
        machine: bareMachine(id, mac(`02:00:00:00:00:${tail}`)),
      })
    const results = await Promise.allSettled([put('m1', '01'), put('m2', '02')])
    t.equal(results[0]?.status, 'fulfilled')
    const { reason } = results[1] as PromiseRejectedResult
    t.ok(reason instanceof Conflict)
    t.equal((reason as Conflict).field, 'name')
  })
})

t.test('a disk that refuses', async (t) => {
  t.test('the batch runs again unit by unit: what fits is done, the rest is StoreUnavailable', async (t) => {
    const engine = openEngine(t)
    limitPages(engine, 8)
    const results = await Promise.allSettled([
      answerNoted(engine, 'lease 1', durable(1)),
      decide(engine, durable(2), tooBig()),
      answerNoted(engine, 'lease 3', durable(3)),
    ])
    t.same(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    t.ok((results[1] as PromiseRejectedResult).reason instanceof StoreUnavailable)
    t.same(engine.happened, ['COMMIT', 'COMMIT', 'lease 1', 'lease 3'])
    t.same(leaseNumbers(engine, 1, 2, 3), [1, 3])
    t.equal(engine.fatal(), undefined, 'a full disk is no reason to stop')
    limitPages(engine, 100_000)
    await decide(engine, durable(2), tooBig())
    t.same(leaseNumbers(engine, 1, 2, 3), [1, 2, 3], 'with space again it goes on')
  })

  t.test('who was told no is not carried out when the batch runs again', async (t) => {
    const engine = openEngine(t)
    limitPages(engine, 8)
    const [a, b] = [mac('02:00:00:00:00:01'), mac('02:00:00:00:00:02')]
    let runs = 0
    const results = await Promise.allSettled([
      engine.decider.decide(
        () => undefined,
        (): Decision<undefined> => {
          runs += 1
          // With all others, again in savepoints since the second was refused, and alone since the third was.
          if (runs > 2) throw new Error('no longer')
          return {
            reply: undefined,
            reason: 'test',
            effects: [{ kind: 'put-machine', machine: bareMachine('m1', a) }],
          }
        },
      ),
      // Refused, since the first unit has the name; when all runs again the name is free.
      decide(engine, { kind: 'put-machine', machine: bareMachine('m2', b) }),
      decide(engine, tooBig()),
    ])
    t.same(
      results.map((result) => result.status),
      ['rejected', 'rejected', 'rejected'],
    )
    t.equal(runs, 3)
    t.equal(engine.tables.machines.byName('node01'), undefined)
  })

  t.test('caches forget what was taken back', async (t) => {
    const engine = openEngine(t)
    const address = mac('02:00:00:00:00:01')
    const machine = bareMachine('m1', address)
    await decide(engine, { kind: 'put-machine', machine })
    limitPages(engine, 8)
    let runs = 0
    const renames = engine.decider.decide(
      () => undefined,
      (): Decision<undefined> => {
        runs += 1
        if (runs > 1) throw new Error('no longer')
        return {
          reply: undefined,
          reason: 'test',
          effects: [{ kind: 'put-machine', machine: { ...machine, name: 'renamed' } }],
        }
      },
    )
    const seen: (string | undefined)[] = []
    const sees = () =>
      engine.decider.decide(
        (tables) => void seen.push(tables.machines.byMac(address)?.name),
        () => ({ reply: undefined, reason: 'test', effects: [] }),
      )
    const early = sees()
    await t.rejects(decide(engine, tooBig()))
    await t.rejects(renames)
    await early
    await sees()
    t.same(seen, ['renamed', 'node01', 'node01'])
    t.ok(engine.rollbacks() > 0)
  })

  t.test('a database that another program has locked: all of the batch hears it at once', async (t) => {
    const engine = openEngine(t)
    engine.db.pragma('busy_timeout = 20')
    const other = new Database(engine.db.name)
    other.exec('BEGIN IMMEDIATE')
    const started = performance.now()
    const results = await Promise.allSettled(
      Array.from({ length: 300 }, (_, n) => decide(engine, durable(n))),
    )
    t.ok(results.every((result) => result.status === 'rejected' && result.reason instanceof StoreUnavailable))
    t.ok(performance.now() - started < 300 * 20, 'one wait for the lock, not one for every unit')
    other.exec('ROLLBACK')
    other.close()
    await decide(engine, durable(1))
    t.same(leaseNumbers(engine, 1), [1])
  })
})

function limitPages(engine: Engine, spare: number): void {
  const used = engine.db.pragma('page_count', { simple: true }) as number
  engine.db.pragma(`max_page_count = ${used + spare}`)
}

/** More than the spare pages hold, less than any real limit. */
function tooBig(): Effect {
  return trace('x'.repeat(400_000))
}

function leaseNumbers(engine: Engine, ...numbers: number[]): number[] {
  return numbers.filter((n) => engine.tables.leases.byMac('10.77.0.0/24', leaseOf(n).mac) !== undefined)
}

function bareMachine(id: string, address: ReturnType<typeof mac>) {
  const { clusterId: _cluster, imageId: _image, reservedAddress: _reserved, ...machine } = aMachine()
  return { ...machine, id, macs: [address] }
}

function redeemOfNobody(): Effect {
  return {
    kind: 'redeem',
    redemption: {
      bootId: 'nobody',
      clusterId: 'c1',
      bootstrap: false,
      nonce: '00',
      address: ip('10.77.0.11'),
    },
    configText: '{}',
    atMs: NOW,
  }
}
