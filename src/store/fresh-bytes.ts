import { randomFillSync } from 'node:crypto'

const BYTES = 32
const AT_ONCE = 256

/** Random bytes, fetched many at once: asking the system for 32 costs as much as asking for thousands. */
export class FreshBytes {
  #block = new Uint8Array(0)
  #used = 0

  /** 32 bytes that nobody has seen; each is given once, and no copy is kept. */
  take(): Uint8Array {
    if (this.#used + BYTES > this.#block.length) {
      this.#block = randomFillSync(new Uint8Array(BYTES * AT_ONCE))
      this.#used = 0
    }
    const bytes = this.#block.slice(this.#used, this.#used + BYTES)
    this.#block.fill(0, this.#used, this.#used + BYTES)
    this.#used += BYTES
    return bytes
  }
}
