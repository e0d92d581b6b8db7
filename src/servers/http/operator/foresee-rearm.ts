import type { Machine } from '../../../model/machine.ts'
import { mayAskToRearm, mayRearm, type Rearm } from '../../../policy/boot/may-rearm.ts'
import { RECENT_BOOTS } from '../../../store/snapshots/script.ts'
import type { OperatorContext } from './operator-context.ts'

/**
 * Whether the machine would be armed again without a person, were it to ask for its script now as what it was accepted as,
 * from the address that is leased to it.
 */
export function foreseeRearm({ store }: OperatorContext, machine: Machine): Rearm {
  const { acceptedAs, clusterId } = machine
  if (acceptedAs === undefined) return { kind: 'no' }
  return store.peek((view) => {
    if (!mayAskToRearm(machine, view.nowMs)) return { kind: 'no' }
    const lease = view.leases
      .ofMac(acceptedAs.mac)
      .find(({ state, expiresAtMs }) => state === 'active' && expiresAtMs > view.nowMs)
    return mayRearm(
      machine,
      clusterId === undefined ? undefined : view.clusters.byId(clusterId),
      view.calls.fleetHold(),
      view.attempts.ofMachine(machine.id, RECENT_BOOTS),
      { ...acceptedAs, address: lease?.address ?? acceptedAs.address },
      view.nowMs,
    )
  })
}
