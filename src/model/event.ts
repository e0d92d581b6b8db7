/** A fact that happened, in the order of `seq`; appended, never changed. */
export interface Event {
  readonly seq: number
  readonly atMs: number
  /** Dotted and stable, `lease.granted`, `cluster.founded`: what scripts match on. */
  readonly type: string
  readonly machineId?: string
  readonly clusterId?: string
  readonly bootId?: string
  /** Flat facts for people and programs; never a secret. */
  readonly data: Readonly<Record<string, string | number | boolean | null>>
}

export type NewEvent = Omit<Event, 'seq'>
