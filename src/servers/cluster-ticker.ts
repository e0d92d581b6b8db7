import type { Logger } from 'pino'
import { decideTick } from '../policy/cluster/decide-tick.ts'
import { readPicture } from '../store/snapshots/picture.ts'
import type { Store } from '../store/store.ts'

const EVERY_MS = 5_000
const MAX_CLUSTERS = 200

/** Lets time be noticed: silent founders, silent slot holders, clusters that lost their state. */
export class ClusterTicker {
  readonly #store: Store
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#round = this.#tickAll().catch((error: unknown) => this.#log.warn({ err: error }, 'tick failed'))
    }, EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#round
  }

  async #tickAll(): Promise<void> {
    const living = this.#store.lists.clusters
      .list('', MAX_CLUSTERS)
      .filter(({ founding }) => founding.state !== 'closed' && founding.state !== 'open')
    for (const { id, name } of living) {
      const { reason } = await this.#store.decide(
        (view) => readPicture(view, id, view.nowMs),
        (picture) =>
          picture === undefined
            ? { reply: undefined, reason: 'cluster-gone', effects: [] }
            : decideTick(picture),
      )
      if (reason === 'due')
        this.#log.info({ cluster: name }, 'time has passed for something; the events say what')
    }
  }
}
