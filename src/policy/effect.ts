import type { NewEvent } from '../model/event.ts'
import type { BootEffect } from './boot/effects.ts'
import type { ClusterEffect } from './cluster/effects.ts'
import type { DhcpEffect } from './dhcp/effects.ts'
import type { FirstBootEffect } from './first-boot/effects.ts'
import type { ImageEffect } from './image/effects.ts'
import type { MachineEffect } from './machine/effects.ts'

/** Appends to the event feed, in the same transaction as the effects that it tells of. */
export interface EventEffect {
  readonly kind: 'append-event'
  readonly event: NewEvent
}

/** Takes events out of the feed for ever, and notes the highest `seq` that ever went. */
export interface DropEventsEffect {
  readonly kind: 'drop-events'
  /** In order, at least one. */
  readonly seqs: readonly number[]
}

/** Notes the server's time on disk, so that a start after a crash knows how long the server was away. */
export interface NoteTimeEffect {
  readonly kind: 'note-time'
  readonly atMs: number
}

/** The database that was put back is ours again: what it may have forgotten is dealt with. */
export interface EndRestoreEffect {
  readonly kind: 'end-restore'
}

/** Everything that a decision may change. The store has one function for each. */
export type Effect =
  | DhcpEffect
  | BootEffect
  | FirstBootEffect
  | ClusterEffect
  | MachineEffect
  | ImageEffect
  | EventEffect
  | DropEventsEffect
  | NoteTimeEffect
  | EndRestoreEffect

/**
 * `durable`: the reply waits for COMMIT. `trace`: it rides the next commit and the reply leaves at once, because the
 * reply promises nothing that a crash could break.
 */
const DURABILITY: { readonly [Kind in Effect['kind']]: 'durable' | 'trace' } = {
  'put-offer': 'trace',
  'drop-offer': 'trace',
  'put-lease': 'durable',
  'release-lease': 'durable',
  'adopt-leases': 'durable',
  'quarantine-address': 'durable',
  'note-verdict': 'trace',
  'note-foreign-server': 'trace',
  'note-told': 'trace',
  'overhear-address': 'trace',
  'discover-machine': 'durable',
  'begin-attempt': 'trace',
  'end-attempt': 'trace',
  'reach-stage': 'trace',
  'note-loader-sent': 'trace',
  'forget-loader-sends': 'trace',
  'note-trace': 'trace',
  'mark-stalled': 'trace',
  'loader-override-sent': 'trace',
  'pin-image': 'durable',
  'mint-boot-token': 'durable',
  'extend-boot-tokens': 'trace',
  'set-machine-state': 'durable',
  'note-identity': 'durable',
  redeem: 'durable',
  'forget-sealed-config': 'durable',
  'revoke-boot-tokens': 'durable',
  'make-attempt-current': 'durable',
  'note-installed': 'durable',
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
  'put-gate-pass': 'durable',
  'drop-gate-pass': 'durable',
  'put-probe': 'trace',
  'put-cluster-secret': 'durable',
  'forget-cluster-secret': 'durable',
  'put-service-credential': 'durable',
  'drop-service-credential': 'durable',
  'put-machine': 'durable',
  'delete-machine': 'durable',
  'put-machine-file': 'durable',
  'remove-machine-file': 'durable',
  'arm-machine': 'durable',
  'hold-machine': 'durable',
  'accept-machine-as': 'durable',
  'put-fleet-hold': 'durable',
  'remember-answer': 'durable',
  'put-cluster': 'durable',
  'put-image': 'durable',
  'put-image-version': 'durable',
  'set-image-state': 'durable',
  'promote-image': 'durable',
  'roll-back-promotion': 'durable',
  'delete-image': 'durable',
  'append-event': 'trace',
  'drop-events': 'trace',
  // Nobody waits for it, but a file that witnesses it is written after the sync: see store/last-time-file.ts.
  'note-time': 'durable',
  'end-restore': 'durable',
}

export function isDurable(effect: Effect): boolean {
  return DURABILITY[effect.kind] === 'durable'
}
