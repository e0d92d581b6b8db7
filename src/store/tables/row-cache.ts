import { RecentMap } from '../../net/recent-map.ts'

/**
 * Rows that were read once, so many at most, and the absence of a row as well. Whoever writes a row puts it here or has
 * it forgotten; a rollback forgets all.
 */
export class RowCache<Key, Value extends object | string | number> {
  /** null: there is no such row. Undefined: nothing is kept. */
  readonly #rows: RecentMap<Key, Value | null> | undefined
  readonly #keepsAbsence: boolean

  /**
   * @param most rows that are kept; 0: none, for a connection that nobody tells of changes.
   * @param keepsAbsence false where strangers name the keys: what they invent must not drive out what is there.
   */
  constructor(most: number, keepsAbsence = true) {
    this.#rows = most === 0 ? undefined : new RecentMap(most)
    this.#keepsAbsence = keepsAbsence
  }

  /** The row, from here or else from `read`. */
  get(key: Key, read: () => Value | undefined): Value | undefined {
    const kept = this.#rows?.get(key)
    if (kept !== undefined) return kept ?? undefined
    const row = read()
    this.put(key, row)
    return row
  }

  put(key: Key, row: Value | undefined): void {
    if (row !== undefined || this.#keepsAbsence) this.#rows?.set(key, row ?? null)
  }

  forget(key: Key): void {
    this.#rows?.delete(key)
  }

  forgetAll(): void {
    this.#rows?.clear()
  }
}
