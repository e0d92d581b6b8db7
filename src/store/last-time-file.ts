import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/**
 * The last server time that is surely in the database, in a file beside it: `data_dir/last-time`. It is written after
 * the sync of the COMMIT that it names, so a database whose own last time is earlier is an older one that somebody put back.
 */
export class LastTimeFile {
  readonly #file: string

  constructor(dataDir: string) {
    this.#file = path.join(dataDir, 'last-time')
  }

  /** Undefined where there is none, or none that can be read: nothing is known then. */
  read(): number | undefined {
    try {
      const text = readFileSync(this.#file, 'utf8')
      return /^\d{1,15}\n$/.test(text) ? Number(text) : undefined
    } catch {
      return undefined
    }
  }

  /** Whole or not at all. A disk that does not take it is told of elsewhere: here it costs a witness, not the data. */
  write(atMs: number): void {
    try {
      writeFileSync(`${this.#file}.new`, `${atMs}\n`, { mode: 0o600 })
      renameSync(`${this.#file}.new`, this.#file)
    } catch {
      // The one before stays: it is true of every later database too.
    }
  }
}
