import t from 'tap'
import { DEFAULT_IMAGE_LIMITS } from '../../../src/policy/image/preflight.ts'
import { decideDeletion } from '../../../src/policy/machine/decide-leaving.ts'
import { decideRegistration, type MachineWish } from '../../../src/policy/machine/decide-registration.ts'
import { membershipFault } from '../../../src/policy/machine/membership-fault.ts'
import { aFoundedCluster, aFounding, ip, NOW } from '../../support/builders.ts'
import { aPicture, nodeNo } from '../cluster/picture-of.ts'

const OTHER = aFoundedCluster({ id: 'other', name: 'other' })

/** An edit of a machine, which is in the cluster of the picture. */
function editBy(machine: ReturnType<typeof nodeNo>, picture: ReturnType<typeof aPicture>, wish: MachineWish) {
  return decideRegistration(
    {
      nowMs: NOW,
      machine: { ...machine, clusterId: picture.cluster.id },
      macsTaken: [],
      picture,
      ...(wish.clusterId === OTHER.id ? { cluster: OTHER } : { cluster: picture.cluster }),
      imageLimits: DEFAULT_IMAGE_LIMITS,
      loaders: new Set(),
      subnets: [],
      serverAddress: ip('10.77.0.1'),
      freshId: 'm9',
    },
    wish,
  )
}

function edit(
  machine: ReturnType<typeof nodeNo>,
  picture: ReturnType<typeof aPicture>,
  clusterId: string | null,
) {
  return editBy(machine, picture, { clusterId })
}

t.test('a voter is neither moved to another cluster nor out of its own, nor deleted', async (t) => {
  const picture = aPicture()
  const refused = { kind: 'refused', status: 409, code: 'still-member', cure: /machine decommission node02/ }
  t.match(edit(nodeNo(2), picture, OTHER.id), { reply: { ...refused, field: 'cluster' }, effects: [] })
  t.match(edit(nodeNo(2), picture, null), { reply: refused, effects: [] })
  const machine = nodeNo(2, { state: 'enrolled' })
  t.match(decideDeletion({ nowMs: NOW, machine, picture }), { reply: refused, effects: [] })
})

t.test('an edit that leaves it where it is has nothing to say of it', async (t) => {
  const picture = aPicture()
  t.match(edit(nodeNo(2), picture, picture.cluster.id), { reply: { kind: 'done' } })
})

t.test(
  'a member keeps its role: one that votes is made no worker, and one that does not no voter',
  async (t) => {
    const picture = aPicture()
    const refused = {
      kind: 'refused',
      status: 409,
      code: 'still-member',
      field: 'role',
      cure: /decommission node02/,
    }
    for (const role of ['control-plane', 'all-in-one'] as const) {
      t.match(editBy(nodeNo(2, { role }), picture, { role: 'worker' }), { reply: refused, effects: [] })
    }
    const learners = picture.members.map((member) => ({ ...member, voter: member.machineId !== 'm2' }))
    t.match(
      editBy(nodeNo(2, { role: 'worker' }), aPicture({ members: learners }), { role: 'control-plane' }),
      {
        reply: refused,
      },
    )
    const done = { kind: 'done', machine: { role: 'all-in-one' } }
    t.match(editBy(nodeNo(2), picture, { role: 'all-in-one' }), { reply: done }, 'it votes as before')
    t.match(editBy(nodeNo(2), aPicture({ members: [] }), { role: 'worker' }), { reply: { kind: 'done' } })
  },
)

t.test('whoever founds is made no worker', async (t) => {
  const founding = aFounding({
    state: 'granted',
    epoch: 1,
    nextEpoch: 2,
    holderMachineId: 'm2',
    holderBootId: 'b2',
  })
  const picture = aPicture({ cluster: aFoundedCluster({ founding }), members: [] })
  t.match(editBy(nodeNo(2), picture, { role: 'worker' }), {
    reply: { code: 'holds-founding', field: 'role' },
  })
})

t.test('who is no member may go, and whoever founds may not', async (t) => {
  t.match(edit(nodeNo(2), aPicture({ members: [] }), OTHER.id), {
    reply: { kind: 'done', machine: { clusterId: OTHER.id } },
  })
  const founding = aFounding({
    state: 'granted',
    epoch: 1,
    nextEpoch: 2,
    holderMachineId: 'm2',
    holderBootId: 'b2',
  })
  const granted = aPicture({ cluster: aFoundedCluster({ founding }), members: [] })
  t.match(membershipFault(nodeNo(2), granted), { code: 'holds-founding', cure: /founding move/ })
  t.equal(membershipFault(nodeNo(1), granted), undefined)
})

t.test('a machine that was decommissioned waits until it is out', async (t) => {
  const machine = nodeNo(2, { state: 'held', holdReason: 'decommissioned' })
  t.match(membershipFault(machine, aPicture()), { cure: /wait until it is out, or .* member forget/ })
})
