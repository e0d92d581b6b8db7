import type { Effect } from './effect.ts'

/** What every decision returns: the answer, what must be written for it to be true, and why, in one vocabulary. */
export interface Decision<Reply> {
  readonly reply: Reply
  /** A stable word such as `pool-exhausted`: the log, `explain` and the dashboard print this one. */
  readonly reason: string
  readonly effects: readonly Effect[]
  /** True: the answer promises nothing (an OFFER, silence), and may leave though what it was decided on is not on the disk yet. */
  readonly isTentative?: boolean
}

/** What every snapshot carries beside its rows. */
export interface Moment {
  /** Server time in ms since 1970: never runs backwards. */
  readonly nowMs: number
}
