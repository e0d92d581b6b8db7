import { type Layout, layOut, type Placed } from './graph-layout.ts'
import type { EdgeKind, ServiceGraph } from './service-graph.ts'

const BOX = { width: 178, height: 64 } as const
const ROW_HEIGHT = 116
const MARGIN = 24
const LEGEND_HEIGHT = 56

const DASHES: Readonly<Record<EdgeKind, string>> = { requires: '', wants: '8 5', after: '2 5' }
const MEANINGS: Readonly<Record<EdgeKind, string>> = {
  requires: 'requires: fails with it',
  wants: 'wants: goes on without it',
  after: 'after: order only',
}

/** Health of a node, for those who colour it; the mark stands beside the colour, for those who do not see it. */
export type NodeHealth = 'healthy' | 'some-ill' | 'all-ill'
const HEALTHS: Readonly<Record<NodeHealth, { readonly fill: string; readonly mark: string }>> = {
  healthy: { fill: '#e3f4e1', mark: '✓' },
  'some-ill': { fill: '#fdf0cf', mark: '!' },
  'all-ill': { fill: '#fbdcd9', mark: '✗' },
}

/** The graph as a drawing of its own: no style sheet, font or script from elsewhere. Every text in it is escaped. */
export function graphSvg(graph: ServiceGraph, health: ReadonlyMap<string, NodeHealth> = new Map()): string {
  const layout = layOut(graph, { boxWidth: BOX.width, bendWidth: 24, gap: 28 })
  const width = layout.width + 2 * MARGIN
  const height = layout.rows * ROW_HEIGHT + 2 * MARGIN + LEGEND_HEIGHT - (ROW_HEIGHT - BOX.height)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" role="img">`,
    '<title>Services and what they wait for</title>',
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L10 5 L0 10 Z" fill="#333"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...lines(layout),
    ...graph.nodes.flatMap((node) => {
      const place = layout.places.find(({ id }) => id === node.name)
      return place === undefined ? [] : box(node, place, health.get(node.name))
    }),
    ...legend(height - MARGIN - 8),
    '</svg>',
    '',
  ].join('\n')
}

function lines(layout: Layout): readonly string[] {
  const at = new Map(layout.places.map((place) => [place.id, place]))
  return layout.segments.flatMap(({ from, to, kind, isLast }) => {
    const [start, end] = [at.get(from), at.get(to)]
    if (start === undefined || end === undefined) return []
    const [x1, y1] = [start.x + MARGIN, top(start) + (start.isBend ? BOX.height / 2 : BOX.height)]
    const [x2, y2] = [end.x + MARGIN, top(end) + (end.isBend ? BOX.height / 2 : 0)]
    const half = (y1 + y2) / 2
    const path = `M${round(x1)} ${y1} C${round(x1)} ${half} ${round(x2)} ${half} ${round(x2)} ${y2}`
    return [stroke(`<path d="${path}" fill="none"`, kind, isLast)]
  })
}

function stroke(open: string, kind: EdgeKind, arrow: boolean): string {
  const dash = DASHES[kind] === '' ? '' : ` stroke-dasharray="${DASHES[kind]}"`
  const weight = kind === 'requires' ? 2.5 : 1.5
  return `${open} stroke="#333" stroke-width="${weight}"${dash}${arrow ? ' marker-end="url(#arrow)"' : ''}/>`
}

function box(
  node: ServiceGraph['nodes'][number],
  place: Placed,
  health: NodeHealth | undefined,
): readonly string[] {
  const left = place.x + MARGIN - BOX.width / 2
  const middle = place.x + MARGIN
  const y = top(place)
  const look = health === undefined ? { fill: '#eef2f8', mark: '' } : HEALTHS[health]
  const frame = `stroke="#333" stroke-width="${node.critical ? 2.5 : 1}"`
  if (node.level === 0) {
    return [
      `<rect x="${round(left)}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="32" fill="#fff" ${frame}/>`,
      text(middle, y + 37, 14, node.title),
    ]
  }
  return [
    `<rect x="${round(left)}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6" fill="${look.fill}" ${frame}/>`,
    text(middle, y + 22, 16, look.mark === '' ? node.title : `${node.title} ${look.mark}`, 'bold'),
    text(middle, y + 40, 13, `level ${node.level}, ${node.type}, ~${node.start_seconds} s`),
    text(middle, y + 56, 13, `port ${node.ports.join(', ')}`),
  ]
}

function legend(y: number): readonly string[] {
  const kinds = Object.keys(MEANINGS) as EdgeKind[]
  return kinds.flatMap((kind, index) => {
    const x = MARGIN + index * 240
    return [
      stroke(`<path d="M${x} ${y - 5} H${x + 40}" fill="none"`, kind, true),
      `<text x="${x + 50}" y="${y}" font-size="13" fill="#111">${escapeXml(MEANINGS[kind])}</text>`,
    ]
  })
}

function top({ row }: Placed): number {
  return MARGIN + row * ROW_HEIGHT
}

function text(x: number, y: number, size: number, words: string, weight = 'normal'): string {
  return `<text x="${round(x)}" y="${y}" font-size="${size}" font-weight="${weight}" text-anchor="middle" fill="#111">${escapeXml(words)}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeXml(words: string): string {
  return words
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
