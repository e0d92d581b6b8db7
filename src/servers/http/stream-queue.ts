/** How long a place in the line is kept for a machine that does not ask again. */
const FORGOTTEN_AFTER_MS = 30_000
/** Of one address; a machine that asks for more pieces at once than this waits for its own. */
const MAX_OF_ADDRESS = 16

/** Leave to stream, or a place in the line. */
export type Admission =
  | { readonly kind: 'admitted'; leave(): void }
  | { readonly kind: 'waits'; readonly place: number; readonly retryAfterSeconds: number }

/**
 * Bounds how many files are streamed at once. Who comes when all places are taken stands in line by its address, and
 * keeps its place as long as it asks again: a boot script every 5 s, or iPXE after its Retry-After.
 */
export class StreamQueue {
  readonly #max: number
  readonly #running = new Map<string, number>()
  /** When each was last heard of, in the order in which they came. */
  readonly #line = new Map<string, number>()
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  get running(): number {
    return this.#count
  }

  get waiting(): number {
    return this.#line.size
  }

  /** A place to stream from, or one in the line. */
  admit(address: string, nowMs: number): Admission {
    const place = this.placeOf(address, nowMs)
    const ofAddress = this.#running.get(address) ?? 0
    if (place !== undefined || ofAddress >= MAX_OF_ADDRESS) {
      this.join(address, nowMs)
      return { kind: 'waits', place: place ?? 1, retryAfterSeconds: Math.min(2 + (place ?? 1), 15) }
    }
    this.#line.delete(address)
    this.#count += 1
    this.#running.set(address, ofAddress + 1)
    let hasLeft = false
    return {
      kind: 'admitted',
      leave: () => {
        if (hasLeft) return
        hasLeft = true
        this.#leave(address)
      },
    }
  }

  /** The place in the line that an address has or would get, 1 for the first; undefined: it may stream now. */
  placeOf(address: string, nowMs: number): number | undefined {
    this.#forget(nowMs)
    let ahead = 0
    for (const waiting of this.#line.keys()) {
      if (waiting === address) break
      ahead += 1
    }
    const free = this.#max - this.#count
    // A machine that has a stream is not the next in line for another one, but before those who have none yet.
    if (free > 0 && this.#running.has(address)) return undefined
    return ahead < free ? undefined : ahead - free + 1
  }

  /** Stands in line, or stays there. */
  join(address: string, nowMs: number): void {
    this.#line.set(address, nowMs)
  }

  #leave(address: string): void {
    this.#count -= 1
    const left = (this.#running.get(address) ?? 1) - 1
    if (left === 0) this.#running.delete(address)
    else this.#running.set(address, left)
  }

  #forget(nowMs: number): void {
    for (const [address, heardAtMs] of this.#line) {
      if (nowMs - heardAtMs > FORGOTTEN_AFTER_MS) this.#line.delete(address)
    }
  }
}
