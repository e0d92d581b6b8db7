import { printable } from '../net/bytes.ts'

/** Prints rows in columns as wide as they need; what machines said of themselves is made printable. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [head, ...rows.map((row) => row.map(printable))]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  for (const row of cells) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  }
}

/** Prints one object as `name  value` lines. */
export function printFacts(facts: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(facts)
  const width = Math.max(...names.map((name) => name.length))
  for (const name of names) {
    const value = facts[name]
    const text = value === null ? '-' : typeof value === 'object' ? JSON.stringify(value) : String(value)
    console.log(`${name.padEnd(width)}  ${printable(text)}`)
  }
}
