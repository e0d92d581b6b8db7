import type { Mac } from '../../net/mac.ts'

/**
 * Which machine each MAC is: all of them, in memory, because the packets of strangers ask as well and must not cost a
 * query each. Read again after a rollback that took back a change of it.
 */
export class MacIndex {
  readonly #read: () => Iterable<readonly [Mac, string]>
  #idOf: Map<Mac, string> | undefined
  #hasChanged = false

  /** @param read all MACs with the machine's id. */
  constructor(read: () => Iterable<readonly [Mac, string]>) {
    this.#read = read
  }

  idOf(mac: Mac): string | undefined {
    this.#idOf ??= new Map(this.#read())
    return this.#idOf.get(mac)
  }

  put(mac: Mac, machineId: string): void {
    this.#hasChanged = true
    this.#idOf?.set(mac, machineId)
  }

  drop(mac: Mac): void {
    this.#hasChanged = true
    this.#idOf?.delete(mac)
  }

  /** Called after COMMIT: what was changed stays. */
  settle(): void {
    this.#hasChanged = false
  }

  /** Called after a rollback, of all that was changed since the last COMMIT or of a part. */
  forgetChanges(): void {
    if (this.#hasChanged) this.#idOf = undefined
  }
}
