const WORD_BITS = 32

/**
 * Which addresses of a pool were ever leased, a bit each, so that one that never was is found without asking for each.
 * It is a hint: an unmarked address is looked up before it is used, and a marked one is passed over.
 */
export class PoolMap {
  readonly #first: number
  readonly #size: number
  readonly #words: Uint32Array
  #unmarked: number

  /** @param leased address numbers of the pool that have a lease row. */
  constructor(first: number, last: number, leased: Iterable<number>) {
    this.#first = first
    this.#size = last - first + 1
    this.#words = new Uint32Array(Math.ceil(this.#size / WORD_BITS))
    this.#unmarked = this.#size
    for (const number of leased) this.mark(number)
  }

  mark(number: number): void {
    this.#set(number, true)
  }

  clear(number: number): void {
    this.#set(number, false)
  }

  /** The unmarked addresses, once around the pool from an offset on. */
  *unmarkedFrom(offset: number): Generator<number> {
    if (this.#unmarked === 0) return
    const start = offset % this.#size
    yield* this.#unmarkedBetween(start, this.#size)
    yield* this.#unmarkedBetween(0, start)
  }

  #set(number: number, isMarked: boolean): void {
    const bit = number - this.#first
    if (bit < 0 || bit >= this.#size) return
    const index = Math.floor(bit / WORD_BITS)
    const word = this.#words[index] ?? 0
    const mask = 1 << (bit % WORD_BITS)
    if (((word & mask) !== 0) === isMarked) return
    this.#words[index] = word ^ mask
    this.#unmarked += isMarked ? -1 : 1
  }

  *#unmarkedBetween(from: number, to: number): Generator<number> {
    let bit = from
    while (bit < to) {
      const word = this.#words[Math.floor(bit / WORD_BITS)] ?? 0
      if (word === 0xffffffff) {
        bit = (Math.floor(bit / WORD_BITS) + 1) * WORD_BITS
        continue
      }
      if ((word & (1 << (bit % WORD_BITS))) === 0) yield this.#first + bit
      bit += 1
    }
  }
}
