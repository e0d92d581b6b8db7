/**
 * A map of so many entries at most: what nobody asked for longest gives way.
 *
 * Two generations stand for an order by age. When the young one holds half of what may be kept it becomes the old one,
 * and what was not asked for since the last such turn is gone. Taking the first entry of one map out again and again
 * would cost more with each: V8 walks over the holes that were left before it.
 */
export class RecentMap<Key, Value extends object | string | number | null> {
  readonly #mostYoung: number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()

  /** @param most entries that are kept, two at least. */
  constructor(most: number) {
    this.#mostYoung = Math.floor(most / 2)
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: Key, value: Value): void {
    this.#young.set(key, value)
    if (this.#young.size < this.#mostYoung) return
    this.#old = this.#young
    this.#young = new Map()
  }

  delete(key: Key): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
