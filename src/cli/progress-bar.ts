const WIDTH = 30
const REDRAW_MS = 100

/** A line on standard error that says how far a long work is; nothing where nobody looks. */
export class ProgressBar {
  readonly #total: number | undefined
  readonly #isShown: boolean
  readonly #startedMs = performance.now()
  #done = 0
  #drawnMs = 0

  /** `total` in bytes; undefined when it is not known. */
  constructor(total: number | undefined, isShown = process.stderr.isTTY) {
    this.#total = total
    this.#isShown = isShown
  }

  add(bytes: number): void {
    this.#done += bytes
    if (performance.now() - this.#drawnMs >= REDRAW_MS) this.#draw('')
  }

  /** Everything is sent; what follows takes a moment more. */
  say(what: string): void {
    this.#draw(`  ${what}`)
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[K')
  }

  #draw(note: string): void {
    this.#drawnMs = performance.now()
    if (!this.#isShown) return
    const seconds = Math.max((performance.now() - this.#startedMs) / 1000, 0.001)
    const rate = `${mib(this.#done / seconds)} MiB/s`
    if (this.#total === undefined || this.#total === 0) {
      process.stderr.write(`\r${mib(this.#done)} MiB  ${rate}${note}\x1b[K`)
      return
    }
    const share = Math.min(this.#done / this.#total, 1)
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.')
    const percent = String(Math.floor(share * 100)).padStart(3)
    process.stderr.write(
      `\r[${bar}] ${percent}%  ${mib(this.#done)} of ${mib(this.#total)} MiB  ${rate}${note}\x1b[K`,
    )
  }
}

function mib(bytes: number): string {
  const value = bytes / 1024 / 1024
  return value < 10 ? value.toFixed(1) : String(Math.round(value))
}
