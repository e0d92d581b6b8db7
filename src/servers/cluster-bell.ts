import type { Effect } from '../policy/effect.ts'

type Wake = () => void

/**
 * Wakes the gates that wait in long polls when something changed in their cluster. Rung after COMMIT only; a waiter
 * asks the store again, so a bell too many costs a look and a bell too few a few seconds.
 */
export class ClusterBell {
  readonly #waiting = new Map<string, Set<Wake>>()

  /** Rings for every cluster that the effects of a commit touch. */
  ringFor(effects: readonly Effect[]): void {
    const touched = new Set<string>()
    for (const effect of effects) {
      const clusterId = clusterTouchedBy(effect)
      if (clusterId !== undefined) touched.add(clusterId)
    }
    for (const clusterId of touched) this.ring(clusterId)
  }

  ring(clusterId: string): void {
    const wakes = this.#waiting.get(clusterId)
    this.#waiting.delete(clusterId)
    for (const wake of wakes ?? []) wake()
  }

  /** Resolves at the next ring for the cluster, after `ms`, or when the asker hangs up; whichever is first. */
  wait(clusterId: string, ms: number, hungUp: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        hungUp.removeEventListener('abort', done)
        this.#waiting.get(clusterId)?.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      hungUp.addEventListener('abort', done)
      const wakes = this.#waiting.get(clusterId) ?? new Set()
      wakes.add(done)
      this.#waiting.set(clusterId, wakes)
      if (hungUp.aborted) done()
    })
  }

  /** Wakes everybody: the server stops. */
  ringAll(): void {
    for (const clusterId of [...this.#waiting.keys()]) this.ring(clusterId)
  }
}

function clusterTouchedBy(effect: Effect): string | undefined {
  switch (effect.kind) {
    case 'put-founding':
    case 'put-probe':
      return effect.clusterId
    case 'put-slot':
      return effect.slot.state === 'free' ? effect.slot.clusterId : undefined
    case 'put-service-founding':
      return effect.row.clusterId
    case 'put-cluster':
      return effect.cluster.id
    default:
      return undefined
  }
}
