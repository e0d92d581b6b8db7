import t from 'tap'
import { diskMemberOf } from '../../../src/policy/machine/disk-member.ts'
import { aFoundedCluster, aFounding, aMachine, aMember } from '../../support/builders.ts'

const MACHINE = aMachine({ bootMode: 'install' })
const PERSISTENT = aFoundedCluster({ stateKind: 'persistent' })

t.test('whose data an installation would wipe', async (t) => {
  t.equal(diskMemberOf(MACHINE, PERSISTENT, [aMember()])?.machineId, MACHINE.id)
  t.ok(diskMemberOf(MACHINE, PERSISTENT, [aMember({ state: 'joining' })]), 'on its way in')
  t.ok(diskMemberOf(MACHINE, PERSISTENT, [aMember({ state: 'removing' })]), 'not out yet')
  const frozen = aFounding({ ...PERSISTENT.founding, state: 'frozen', frozenFrom: 'founded' })
  t.ok(diskMemberOf(MACHINE, { ...PERSISTENT, founding: frozen }, [aMember()]), 'frozen')
})

t.test('and when there is none', async (t) => {
  t.equal(diskMemberOf({ ...MACHINE, bootMode: 'netboot' }, PERSISTENT, [aMember()]), undefined)
  t.equal(diskMemberOf(MACHINE, aFoundedCluster({ stateKind: 'ephemeral' }), [aMember()]), undefined)
  t.equal(diskMemberOf(MACHINE, PERSISTENT, [aMember({ state: 'lost' })]), undefined)
  t.equal(diskMemberOf(MACHINE, PERSISTENT, [aMember({ state: 'removed' })]), undefined)
  t.equal(diskMemberOf(MACHINE, PERSISTENT, [aMember({ machineId: 'm2' })]), undefined, 'another machine’s')
  t.equal(diskMemberOf(MACHINE, undefined, []), undefined)
  const open = aFounding({ ...PERSISTENT.founding, state: 'open' })
  t.equal(diskMemberOf(MACHINE, { ...PERSISTENT, founding: open }, [aMember()]), undefined, 'not founded')
})
