import type { Redemption } from '../../model/cluster.ts'
import type { StepRecord } from '../../model/first-boot.ts'

/** What redemptions, reports and gates may change of a boot attempt. */
export type FirstBootEffect =
  | {
      /** Spends the token and writes down what was handed out; the store seals the text with the server's key. */
      readonly kind: 'redeem'
      readonly redemption: Omit<Redemption, 'configSha256'>
      readonly configText: string
      readonly atMs: number
    }
  | { readonly kind: 'forget-sealed-config'; readonly bootId: string }
  | {
      readonly kind: 'revoke-boot-tokens'
      readonly machineId: string
      readonly atMs: number
    }
  | {
      /** The attempt becomes its machine's current one; all others of the machine are superseded. */
      readonly kind: 'make-attempt-current'
      readonly bootId: string
      readonly machineId: string
      readonly atMs: number
    }
  /** Install mode: the system is on the machine's disk, by its own word in this boot. */
  | { readonly kind: 'note-installed'; readonly bootId: string; readonly atMs: number }
  | { readonly kind: 'bind-attempt-epoch'; readonly bootId: string; readonly epoch: number }
  | { readonly kind: 'heard-from'; readonly bootId: string; readonly atMs: number }
  | { readonly kind: 'put-step'; readonly record: StepRecord }
  | { readonly kind: 'note-clock'; readonly bootId: string; readonly skewMs: number; readonly atMs: number }
