import { RecentMap } from '../../net/recent-map.ts'

interface Bucket {
  tokens: number
  filledAtMs: number
}

/** Token buckets by key, so many keys at most: one that nobody took from for long gives way, and would be full again. */
export class TokenBuckets {
  readonly #buckets: RecentMap<string, Bucket>
  readonly #perSecond: number
  readonly #burst: number

  constructor(perSecond: number, burst: number, mostKeys: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#buckets = new RecentMap(mostKeys)
  }

  /** Takes one token; false when there is none left. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(key) ?? this.#filled(key, nowMs)
    const refill = ((nowMs - bucket.filledAtMs) * this.#perSecond) / 1000
    bucket.tokens = Math.min(this.#burst, bucket.tokens + Math.max(refill, 0))
    bucket.filledAtMs = nowMs
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  #filled(key: string, nowMs: number): Bucket {
    const bucket = { tokens: this.#burst, filledAtMs: nowMs }
    this.#buckets.set(key, bucket)
    return bucket
  }
}
