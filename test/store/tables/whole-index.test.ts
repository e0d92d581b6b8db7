import t from 'tap'
import type { Machine } from '../../../src/model/machine.ts'
import type { Mac } from '../../../src/net/mac.ts'
import type { Effect } from '../../../src/policy/effect.ts'
import { WholeIndex } from '../../../src/store/tables/whole-index.ts'
import { aMachine, mac } from '../../support/builders.ts'
import { openEngine } from '../../support/store-world.ts'

const FIRST = mac('02:00:00:00:00:01')
const SECOND = mac('02:00:00:00:00:02')

t.test('all rows are read once, and a stranger costs no query', async (t) => {
  let reads = 0
  const rows: [Mac, string][] = [[FIRST, 'm1']]
  const index = new WholeIndex(() => {
    reads += 1
    return rows
  })
  t.equal(index.get(FIRST), 'm1')
  t.equal(index.get(SECOND), undefined)
  t.equal(index.get(SECOND), undefined)
  t.equal(reads, 1)

  t.test('a rollback that took back a change has them read again, another does not', async (t) => {
    index.forgetChanges()
    t.equal(index.get(FIRST), 'm1')
    t.equal(reads, 1)
    index.put(SECOND, 'm2')
    index.drop(FIRST)
    t.equal(index.get(SECOND), 'm2')
    t.equal(index.get(FIRST), undefined)
    index.forgetChanges()
    t.equal(index.get(SECOND), undefined)
    t.equal(index.get(FIRST), 'm1')
    t.equal(reads, 2)
  })

  t.test('what was read in the midst of a transaction goes with it', async (t) => {
    index.put(SECOND, 'm2')
    rows.push([SECOND, 'm2'])
    index.forgetChanges()
    t.equal(index.get(SECOND), 'm2', 'a unit before it is still in')
    rows.pop()
    index.forgetChanges()
    t.equal(index.get(SECOND), undefined)
  })
})

t.test('a machine is known by its MACs: given, changed and deleted', async (t) => {
  const { decider, tables } = openEngine(t)
  const machine = aLoner('m1', [FIRST])
  const carryOut = (...effects: Effect[]) =>
    decider.decide(
      () => undefined,
      () => ({ reply: undefined, reason: 'test', effects }),
    )
  await carryOut({ kind: 'put-machine', machine })
  t.ok(tables.machines.knowsMac(FIRST))
  await carryOut({ kind: 'put-machine', machine: { ...machine, macs: [SECOND] } })
  t.notOk(tables.machines.knowsMac(FIRST))
  t.equal(tables.machines.byMac(SECOND)?.id, 'm1')
  await t.rejects(carryOut({ kind: 'put-machine', machine: aLoner('m2', [FIRST, SECOND]) }))
  t.notOk(tables.machines.knowsMac(FIRST), 'what was refused left nothing')
  await carryOut({ kind: 'delete-machine', machineId: 'm1' })
  t.notOk(tables.machines.knowsMac(SECOND))
})

/** A machine that is in no cluster. */
function aLoner(id: string, macs: readonly Mac[]): Machine {
  const { clusterId: _, imageId: __, ...machine } = aMachine({ id, name: id, macs })
  return machine
}
