import type { Cluster, Member } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { rowsInGroup } from '../cluster/membership.ts'
import { RAFT_SERVICES } from '../cluster/picture.ts'

/**
 * The member whose data an installation of this machine would wipe: one on its disk that is in a group, or on its way in or
 * out. Before the founding there is none that anybody would miss, and of a lost one the data is gone already.
 */
export function diskMemberOf(
  machine: Machine,
  cluster: Cluster | undefined,
  members: readonly Member[],
): Member | undefined {
  if (machine.bootMode !== 'install' || cluster?.stateKind !== 'persistent') return undefined
  const { state, frozenFrom } = cluster.founding
  const before = state === 'frozen' ? frozenFrom : state
  if (before !== 'founded' && before !== 'lost') return undefined
  return RAFT_SERVICES.flatMap((service) => rowsInGroup(members, cluster, service)).find(
    (row) => row.machineId === machine.id && row.state !== 'lost',
  )
}
