import type { NewEvent } from '../model/event.ts'
import type { BootEffect } from './boot/effects.ts'
import type { ClusterEffect } from './cluster/effects.ts'
import type { DhcpEffect } from './dhcp/effects.ts'
import type { FirstBootEffect } from './first-boot/effects.ts'
import type { MachineEffect } from './machine/effects.ts'

/** Appends to the event feed, in the same transaction as the effects that it tells of. */
export interface EventEffect {
  readonly kind: 'append-event'
  readonly event: NewEvent
}

/** Everything that a decision may change. The store has one function for each. */
export type Effect = DhcpEffect | BootEffect | FirstBootEffect | ClusterEffect | MachineEffect | EventEffect

/**
 * `durable`: the reply waits for COMMIT. `trace`: it rides the next commit and the reply leaves at once, because the
 * reply promises nothing that a crash could break.
 */
const DURABILITY: { readonly [Kind in Effect['kind']]: 'durable' | 'trace' } = {
  'put-offer': 'trace',
  'drop-offer': 'trace',
  'put-lease': 'durable',
  'release-lease': 'durable',
  'quarantine-address': 'durable',
  'discover-machine': 'durable',
  'begin-attempt': 'trace',
  'end-attempt': 'trace',
  'reach-stage': 'trace',
  'loader-override-sent': 'trace',
  'mint-boot-token': 'durable',
  'set-machine-state': 'durable',
  'note-identity': 'durable',
  redeem: 'durable',
  'forget-sealed-config': 'durable',
  'revoke-boot-tokens': 'durable',
  'make-attempt-current': 'durable',
  'bind-attempt-epoch': 'durable',
  'heard-from': 'trace',
  'put-step': 'durable',
  'note-clock': 'trace',
  'put-founding': 'durable',
  'put-member': 'durable',
  'put-slot': 'durable',
  'queue-for-slot': 'durable',
  'leave-queue': 'durable',
  'put-service-founding': 'durable',
  'put-probe': 'trace',
  'put-cluster-secret': 'durable',
  'put-machine': 'durable',
  'delete-machine': 'durable',
  'arm-machine': 'durable',
  'put-cluster': 'durable',
  'put-image': 'durable',
  'append-event': 'trace',
}

export function isDurable(effect: Effect): boolean {
  return DURABILITY[effect.kind] === 'durable'
}
