/**
 * A value for every row of a relation, all of them in memory: for what the packets of strangers ask as well, so that what
 * is not there costs no query either. Read again after a rollback that took back a change of it.
 */
export class WholeIndex<Key, Value extends string | number> {
  readonly #read: () => Iterable<readonly [Key, Value]>
  #values: Map<Key, Value> | undefined
  #hasChanged = false

  /** @param read all keys with their values, as the rows stand. */
  constructor(read: () => Iterable<readonly [Key, Value]>) {
    this.#read = read
  }

  get(key: Key): Value | undefined {
    this.#values ??= new Map(this.#read())
    return this.#values.get(key)
  }

  put(key: Key, value: Value): void {
    this.#hasChanged = true
    this.#values?.set(key, value)
  }

  drop(key: Key): void {
    this.#hasChanged = true
    this.#values?.delete(key)
  }

  /** Called after COMMIT: what was changed stays. */
  settle(): void {
    this.#hasChanged = false
  }

  /** Called after a rollback, of all that was changed since the last COMMIT or of a part. */
  forgetChanges(): void {
    if (this.#hasChanged) this.#values = undefined
  }
}
