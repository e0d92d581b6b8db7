import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { decideTrim, type EventRetention } from '../policy/event-retention.ts'
import { readTrimSnapshot } from '../store/snapshots/trim.ts'
import type { Store } from '../store/store.ts'

const EVERY_MS = 3_600_000
/** One unit reads and drops at most so many: half a millisecond, which DHCP beside it does not feel. */
const BATCH = 200
const PAUSE_MS = 100

export interface EventTrimmerOptions {
  readonly store: Store
  readonly log: Logger
  readonly retention: EventRetention
}

/** Sweeps old events out of the feed once an hour, in small batches with pauses between. */
export class EventTrimmer {
  readonly #options: EventTrimmerOptions
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #sweep: Promise<void> = Promise.resolve()

  constructor(options: EventTrimmerOptions) {
    this.#options = options
  }

  start(): void {
    const sweep = () => {
      this.#sweep = this.sweep().catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#options.log.warn({ err: error }, 'trimming events failed')
      })
    }
    sweep()
    this.#timer = setInterval(sweep, EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    await this.#sweep
  }

  /** Goes once through all that is old. */
  async sweep(): Promise<void> {
    const { store, log, retention } = this.#options
    const { signal } = this.#stopping
    let dropped = 0
    let after: number | undefined = 0
    while (after !== undefined && !signal.aborted) {
      const from: number = after
      const { reply, effects } = await store.decide(
        (view) => readTrimSnapshot(view, from, BATCH),
        (snapshot) => decideTrim(snapshot, retention),
      )
      for (const effect of effects) if (effect.kind === 'drop-events') dropped += effect.seqs.length
      after = reply
      if (after !== undefined) await delay(PAUSE_MS, undefined, { signal })
    }
    if (dropped > 0) log.info({ dropped }, 'old events are dropped')
  }
}
