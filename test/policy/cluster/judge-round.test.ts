import t from 'tap'
import { judgeRound } from '../../../src/policy/cluster/judge-round.ts'
import { aPicture, aRound, voterNo } from './picture-of.ts'

const EARLIER = voterNo(1, { service: 'flaredb', state: 'lost' })
const NOW_THERE = voterNo(1, { service: 'flaredb', memberId: 'node01.2', incarnation: 2 })

t.test('an earlier life of the machine that founds FlareDB is no voter of what it founds', async (t) => {
  const granted = {
    clusterId: 'c1',
    service: 'flaredb',
    state: 'granted',
    epoch: 1,
    machineId: 'm1',
  } as const
  const picture = aPicture({ members: [EARLIER, NOW_THERE], serviceFoundings: [granted] })
  const { flaredb } = aRound(picture, [1], 'not-there')
  t.equal(
    judgeRound(picture, 'flaredb', flaredb).result,
    'leader-quorum',
    'it leads alone, as a founder does',
  )
})

t.test('once it is founded, a voter that lost its data counts until it is removed', async (t) => {
  const picture = aPicture({ members: [EARLIER, NOW_THERE] })
  const { flaredb } = aRound(picture, [1], 'not-there')
  t.equal(judgeRound(picture, 'flaredb', flaredb).result, 'no-leader')
})

t.test(
  'while an operator’s founder of FlareDB is at work, whoever the move put out is not heard',
  async (t) => {
    const result = (machineId: string, row: Parameters<typeof voterNo>[1], slotNo?: number) => {
      const granted = { clusterId: 'c1', service: 'flaredb', state: 'granted', epoch: 1, machineId } as const
      const picture = aPicture({
        members: [voterNo(1, { service: 'flaredb', ...row })],
        serviceFoundings: [{ ...granted, ...(slotNo === undefined ? {} : { slotNo }) }],
      })
      const { founding } = picture.cluster
      const restored = { ...founding, frozenBy: 'restore', incarnationFloor: 1000 } as const
      const cluster = { ...picture.cluster, founding: restored }
      return judgeRound({ ...picture, cluster }, 'flaredb', aRound(picture, [1], 'not-there').flaredb).result
    }
    t.equal(result('m2', { state: 'removed' }), 'no-leader', 'its group was given up')
    t.equal(result('m2', { state: 'removed' }, 1001), 'no-leader', 'and is founded anew just now')
    t.equal(result('m1', { state: 'removed' }), 'leader-quorum', 'it is the founder itself')
    t.equal(result('m2', { state: 'member' }), 'leader-quorum')
  },
)
