import type { AttemptEnd, BootAttempt, Stage } from '../../model/boot-attempt.ts'
import type { TraceNote } from '../../model/boot-trace.ts'
import type { MachineState } from '../../model/machine.ts'
import type { Ipv4 } from '../../net/ipv4.ts'

/** What decisions about boot attempts, scripts and files may change. */
export type BootEffect =
  | { readonly kind: 'begin-attempt'; readonly attempt: BootAttempt }
  | { readonly kind: 'end-attempt'; readonly bootId: string; readonly end: AttemptEnd; readonly atMs: number }
  | {
      /** Enters a stage, or adds bytes and retries to one already entered; never moves an attempt back. */
      readonly kind: 'reach-stage'
      readonly bootId: string
      readonly stage: Stage
      readonly atMs: number
      readonly bytes: number
      readonly retries: number
    }
  | {
      /** A loader went out whole; kept for minutes, to tell a machine that goes round in a circle. */
      readonly kind: 'note-loader-sent'
      readonly machineId: string
      readonly atMs: number
    }
  | { readonly kind: 'forget-loader-sends'; readonly machineId: string }
  | { readonly kind: 'mark-stalled'; readonly bootId: string; readonly stage: Stage; readonly atMs: number }
  | {
      /** Writes down one exchange of the attempt; rows of the same kind and key count up. */
      readonly kind: 'note-trace'
      readonly bootId: string
      readonly note: TraceNote
    }
  | { readonly kind: 'pin-image'; readonly bootId: string; readonly imageId: string }
  | { readonly kind: 'loader-override-sent'; readonly bootId: string; readonly atMs: number }
  | {
      readonly kind: 'mint-boot-token'
      readonly tokenSha256: string
      readonly bootId: string
      readonly machineId: string
      readonly address: Ipv4
      readonly atMs: number
      readonly expiresAtMs: number
      /** The end that no extension passes: 2 h after minting. */
      readonly capMs: number
    }
  | {
      /** Gives the attempt's unspent tokens that are still good until `untilMs`, within the cap of each. */
      readonly kind: 'extend-boot-tokens'
      readonly bootId: string
      readonly atMs: number
      readonly untilMs: number
    }
  | { readonly kind: 'set-machine-state'; readonly machineId: string; readonly state: MachineState }
  | {
      readonly kind: 'note-identity'
      readonly machineId: string
      readonly uuid?: string
      readonly serial?: string
    }
