/**
 * What an attempt can exchange with the server. `dhcp`: messages by type and client, `tftp` and `http`: files, `script`:
 * boot scripts by reason, `redeem`: requests for the configuration by outcome, `gate`: waits by step and reason,
 * `report`: what the node said of a step.
 */
export type TraceKind = 'dhcp' | 'tftp' | 'http' | 'script' | 'redeem' | 'gate' | 'report'

/** Flat facts of the latest of the exchanges that a row counts; never a secret. */
export type TraceFacts = Readonly<Record<string, string | number | boolean>>

/** One exchange of a boot attempt with the server. */
export interface TraceNote {
  readonly kind: TraceKind
  /** What is counted together, `discover:ipxe`, `snponly.efi`: from a small set of ours, never a client's own words. */
  readonly key: string
  readonly atMs: number
  readonly bytes?: number
  readonly retries?: number
  readonly facts: TraceFacts
}

/** All exchanges of one kind and key in one attempt. */
export interface TraceRecord {
  readonly kind: TraceKind
  readonly key: string
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** How often it happened. */
  readonly times: number
  /** Sums over all of them. */
  readonly bytes: number
  readonly retries: number
  /** The latest one's facts. */
  readonly facts: TraceFacts
}
