import type { EdgeKind, ServiceGraph } from './service-graph.ts'

/** A box, or the bend of edges that pass a row on their way down. */
export interface Placed {
  readonly id: string
  readonly row: number
  /** Middle of the box or bend. */
  readonly x: number
  readonly isBend: boolean
}

/** One edge from row to row; edges of one origin and kind share their way as far as they can. */
export interface Segment {
  readonly from: string
  readonly to: string
  readonly kind: EdgeKind
  /** Ends at a box, and so gets an arrow head. */
  readonly isLast: boolean
}

export interface Layout {
  readonly places: readonly Placed[]
  readonly segments: readonly Segment[]
  readonly rows: number
  readonly width: number
}

export interface LayoutSizes {
  readonly boxWidth: number
  readonly bendWidth: number
  readonly gap: number
}

const SWEEPS = 8

/** Puts every node one row below the lowest that it waits for, and orders the rows so that edges run straight. */
export function layOut(graph: ServiceGraph, sizes: LayoutSizes): Layout {
  const rowOf = new Map<string, number>()
  for (const { name } of graph.nodes) {
    const above = graph.edges.filter((edge) => edge.to === name).map((edge) => rowOf.get(edge.from) ?? 0)
    rowOf.set(name, above.length === 0 ? 0 : Math.max(...above) + 1)
  }
  const rows: string[][] = []
  const put = (id: string, row: number) => {
    rows[row] = [...(rows[row] ?? []), id]
  }
  for (const { name } of graph.nodes) put(name, rowOf.get(name) ?? 0)

  const segments = new Map<string, Segment>()
  for (const { from, to, kind } of graph.edges) {
    const last = rowOf.get(to) ?? 0
    let previous = from
    for (let row = (rowOf.get(from) ?? 0) + 1; row < last; row += 1) {
      const bend = `${from} ${kind} ${row}`
      if (rows[row]?.includes(bend) !== true) put(bend, row)
      segments.set(`${previous}>${bend}`, { from: previous, to: bend, kind, isLast: false })
      previous = bend
    }
    segments.set(`${previous}>${to}`, { from: previous, to, kind, isLast: true })
  }
  const lines = [...segments.values()]
  const boxes = new Set(graph.nodes.map(({ name }) => name))
  const widthOf = (id: string) => (boxes.has(id) ? sizes.boxWidth : sizes.bendWidth)
  let xs = spread(rows, widthOf, sizes.gap)
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const row of rows) {
      const middle = (id: string) => {
        const ends = lines.flatMap((line) =>
          line.to === id ? [xs.get(line.from) ?? 0] : line.from === id ? [xs.get(line.to) ?? 0] : [],
        )
        return ends.length === 0 ? (xs.get(id) ?? 0) : ends.reduce((sum, x) => sum + x, 0) / ends.length
      }
      const wanted = new Map(row.map((id) => [id, middle(id)]))
      row.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0))
    }
    xs = spread(rows, widthOf, sizes.gap)
  }
  return {
    places: rows.flatMap((row, index) =>
      row.map((id) => ({ id, row: index, x: xs.get(id) ?? 0, isBend: !boxes.has(id) })),
    ),
    segments: lines,
    rows: rows.length,
    width: Math.max(...rows.map((row) => rowWidth(row, widthOf, sizes.gap))),
  }
}

function rowWidth(row: readonly string[], widthOf: (id: string) => number, gap: number): number {
  return row.reduce((sum, id) => sum + widthOf(id) + gap, -gap)
}

/** Each row side by side and in the middle. */
function spread(
  rows: readonly (readonly string[])[],
  widthOf: (id: string) => number,
  gap: number,
): Map<string, number> {
  const widest = Math.max(...rows.map((row) => rowWidth(row, widthOf, gap)))
  const xs = new Map<string, number>()
  for (const row of rows) {
    let left = (widest - rowWidth(row, widthOf, gap)) / 2
    for (const id of row) {
      xs.set(id, left + widthOf(id) / 2)
      left += widthOf(id) + gap
    }
  }
  return xs
}
