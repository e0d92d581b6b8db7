/** What the queue needs of the disk, and whom it tells. */
export interface SyncQueueParts<Batch> {
  /** Calls back when all that was committed before is on the disk, or with why nobody knows. */
  sync(done: (error?: Error) => void): void
  /** As `sync`, before it returns. Throws. */
  syncNow(): void
  /** The batch is on the disk, and all before it. */
  onSynced(batch: Batch): void
  /** Nobody knows what is on the disk. */
  onFailed(error: unknown): void
}

/**
 * Batches that are committed and not yet on the disk, in order. One sync is under way at a time, and what is committed
 * meanwhile shares the next: the longer a sync takes, the more of them it carries.
 */
export class SyncQueue<Batch> {
  readonly #parts: SyncQueueParts<Batch>
  /** Those that the sync under way carries. */
  #syncing: Batch[] = []
  #waiting: Batch[] = []
  /** Raised when nobody waits for a sync any more that is still under way. */
  #turn = 0

  constructor(parts: SyncQueueParts<Batch>) {
    this.#parts = parts
  }

  get isEmpty(): boolean {
    return this.#syncing.length === 0 && this.#waiting.length === 0
  }

  /** @param needsSync false: the batch promises nothing that a crash could break, and waits only for those before it. */
  add(batch: Batch, needsSync: boolean): void {
    if (!needsSync && this.isEmpty) return this.#parts.onSynced(batch)
    this.#waiting.push(batch)
    if (this.#syncing.length === 0) this.#begin()
  }

  /** Has all of it on the disk before it returns. */
  flush(): void {
    if (this.isEmpty) return
    try {
      this.#parts.syncNow()
    } catch (error) {
      return this.#parts.onFailed(error)
    }
    for (const batch of this.drain()) this.#parts.onSynced(batch)
  }

  /** Takes all of them out; a sync that is under way concerns nobody any more. */
  drain(): readonly Batch[] {
    const batches = [...this.#syncing, ...this.#waiting]
    this.#syncing = []
    this.#waiting = []
    this.#turn += 1
    return batches
  }

  #begin(): void {
    this.#syncing = this.#waiting
    this.#waiting = []
    const turn = this.#turn
    this.#parts.sync((error) => {
      if (turn === this.#turn) this.#ended(error)
    })
  }

  #ended(error: Error | undefined): void {
    if (error !== undefined) return this.#parts.onFailed(error)
    const synced = this.#syncing
    this.#syncing = []
    for (const batch of synced) this.#parts.onSynced(batch)
    if (this.#waiting.length > 0 && this.#syncing.length === 0) this.#begin()
  }
}
