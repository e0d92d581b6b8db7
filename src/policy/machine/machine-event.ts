import type { NewEvent } from '../../model/event.ts'
import type { Machine } from '../../model/machine.ts'
import type { Effect } from '../effect.ts'

/** An event of a machine, and of its cluster where it has one; `bootId` is the attempt that it is about. */
export function machineEvent(
  machine: Machine,
  atMs: number,
  type: string,
  data: NewEvent['data'] = {},
  bootId?: string,
): Effect {
  return {
    kind: 'append-event',
    event: {
      atMs,
      type,
      machineId: machine.id,
      data: { name: machine.name, ...data },
      ...(bootId === undefined ? {} : { bootId }),
      ...(machine.clusterId === undefined ? {} : { clusterId: machine.clusterId }),
    },
  }
}
