/**
 * Spellings of numbers that were met lately, so many at most, each number in one place: the same number gives the very
 * same string again. It is not put together anew, its hash is known, and maps find it by identity.
 */
export class SpellingTable {
  readonly #mask: number
  readonly #high: Int32Array
  readonly #low: Int32Array
  readonly #spellings: (string | undefined)[]

  /** @param bits the table has 2 to the power of this many places. */
  constructor(bits: number) {
    const places = 2 ** bits
    this.#mask = places - 1
    this.#high = new Int32Array(places)
    this.#low = new Int32Array(places)
    this.#spellings = new Array<string | undefined>(places).fill(undefined)
  }

  /** The spelling of a number of up to 64 bits, given as two halves of 32 bits. */
  get(high: number, low: number, spell: () => string): string {
    const top = high | 0
    const bottom = low | 0
    const mixed = Math.imul(bottom ^ Math.imul(top, 0x85ebca6b), 0x9e3779b1)
    const place = (mixed ^ (mixed >>> 15)) & this.#mask
    const known = this.#spellings[place]
    if (known !== undefined && this.#high[place] === top && this.#low[place] === bottom) return known
    const spelling = spell()
    this.#high[place] = top
    this.#low[place] = bottom
    this.#spellings[place] = spelling
    return spelling
  }
}
