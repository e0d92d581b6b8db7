import t from 'tap'
import { aCluster, aMachine, anAttempt, anImage, NOW } from '../../support/builders.ts'
import { openTables } from '../../support/store-world.ts'

t.test('a boot that redeems goes on, though a later one had it abandoned', (t) => {
  const { tables } = openTables(t)
  const { attempts } = tables
  tables.clusters.put(aCluster())
  tables.images.put(anImage())
  const { reservedAddress: _, ...machine } = aMachine()
  tables.machines.put(machine)
  attempts.begin(anAttempt({ bootId: 'b1', machineId: 'm1', startedAtMs: NOW }))
  attempts.begin(anAttempt({ bootId: 'b2', machineId: 'm1', startedAtMs: NOW + 700_000 }))
  t.match(attempts.byId('b1'), { end: 'abandoned', endedAtMs: NOW + 700_000 })

  attempts.makeCurrent('b1', 'm1', NOW + 701_000)
  const { end, endedAtMs, status } = attempts.byId('b1') ?? {}
  t.strictSame({ end, endedAtMs, status }, { end: undefined, endedAtMs: undefined, status: 'current' })
  t.match(attempts.byId('b2'), { end: 'superseded', status: 'superseded' })

  attempts.end('b1', 'ready', NOW + 800_000)
  t.match(attempts.byId('b1'), { end: 'ready', endedAtMs: NOW + 800_000 })
  t.end()
})
