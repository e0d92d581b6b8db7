import { median, type Row } from './report.ts'

/** Figures of all rounds, by work and server, in the order in which they first came; a row is the median of its rounds. */
export class Figures {
  readonly #values = new Map<string, { readonly row: Omit<Row, 'value'>; readonly values: number[] }>()

  add(work: string, server: string, value: number, unit: string): void {
    const key = `${work}|${server}`
    const entry = this.#values.get(key) ?? { row: { work, server, unit }, values: [] }
    entry.values.push(value)
    this.#values.set(key, entry)
  }

  /** NaN for what was not measured. */
  of(work: string, server: string): number {
    return median(this.#values.get(`${work}|${server}`)?.values ?? [])
  }

  rows(): readonly Row[] {
    return [...this.#values.values()].map(({ row, values }) => ({ ...row, value: median(values) }))
  }
}
