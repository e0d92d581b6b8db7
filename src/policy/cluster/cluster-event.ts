import type { Cluster } from '../../model/cluster.ts'
import type { NewEvent } from '../../model/event.ts'
import type { Machine } from '../../model/machine.ts'
import type { Effect } from '../effect.ts'

/** An event of a cluster; `machine` is the one that it is about, where there is one. */
export function clusterEvent(
  cluster: Cluster,
  atMs: number,
  type: string,
  data: NewEvent['data'] = {},
  machine?: Machine,
): Effect {
  return {
    kind: 'append-event',
    event: {
      atMs,
      type,
      clusterId: cluster.id,
      data: { cluster: cluster.name, ...(machine === undefined ? {} : { name: machine.name }), ...data },
      ...(machine === undefined ? {} : { machineId: machine.id }),
    },
  }
}
