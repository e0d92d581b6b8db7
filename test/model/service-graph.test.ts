import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { layOut } from '../../src/model/graph-layout.ts'
import { graphSvg } from '../../src/model/graph-svg.ts'
import { graphDot, serviceGraph } from '../../src/model/service-graph.ts'
import { SERVICES } from '../../src/model/services.ts'

const graph = serviceGraph()

t.test('every line of a unit is an edge, and nothing else is', async (t) => {
  const edges = graph.edges.map(({ from, to, kind }) => `${from} ${kind} ${to}`)
  t.strictSame(
    [...edges].sort(),
    [
      'network-online.target wants chainfire',
      'network-online.target wants flaredb',
      'chainfire requires flaredb',
      'flaredb requires iam',
      'chainfire wants plasmavmc',
      'iam wants plasmavmc',
      'chainfire wants prismnet',
      'iam after prismnet',
      'chainfire wants flashdns',
      'chainfire wants fiberlb',
      'iam after fiberlb',
      'chainfire wants lightningstor',
      'flaredb after lightningstor',
      'chainfire wants k8shost',
      'plasmavmc after k8shost',
      'prismnet wants k8shost',
    ].sort(),
  )
})

t.test('the way of a request through the running cluster is told as well', async (t) => {
  const flows = graph.flows.map(({ from, to }) => `${from}>${to}`)
  for (const flow of [
    'client>fiberlb',
    'fiberlb>iam',
    'iam>flaredb',
    'iam>plasmavmc',
    'plasmavmc>chainfire',
    'chainfire>worker',
    'plasmavmc>lightningstor',
    'lightningstor>flaredb',
    'prismnet>flashdns',
  ])
    t.ok(flows.includes(flow), flow)
})

t.test('the layout: everything below what it waits for, and no two boxes on each other', async (t) => {
  const layout = layOut(graph, { boxWidth: 178, bendWidth: 24, gap: 28 })
  const at = new Map(layout.places.map((place) => [place.id, place]))
  for (const { from, to } of graph.edges)
    t.ok((at.get(from)?.row ?? 99) < (at.get(to)?.row ?? 0), `${from} over ${to}`)
  const boxes = layout.places.filter(({ isBend }) => !isBend)
  t.equal(boxes.length, 10)
  for (const box of boxes) {
    for (const other of boxes) {
      if (box !== other && box.row === other.row)
        t.ok(Math.abs(box.x - other.x) >= 178 + 28, `${box.id} ${other.id}`)
    }
  }
})

t.test('DOT names every node and edge', async (t) => {
  const dot = graphDot(graph)
  for (const { name } of SERVICES) t.match(dot, `"${name}" [label=`)
  t.equal(dot.match(/ -> /g)?.length, graph.edges.length)
})

const skip =
  (existsSync('/usr/bin/xmllint') && existsSync('/usr/bin/rsvg-convert')) || process.env.CI === 'true'
    ? false
    : 'xmllint or rsvg-convert is not installed'

t.test(
  'the SVG is well-formed, a drawing of its size, and marks health also without colour',
  { skip },
  async (t) => {
    const svg = graphSvg(graph, new Map([['iam', 'all-ill']]))
    execFileSync('xmllint', ['--noout', '-'], { input: svg })
    t.throws(() =>
      execFileSync('xmllint', ['--noout', '-'], { input: svg.replace('</svg>', ''), stdio: 'pipe' }),
    )
    const png = execFileSync('rsvg-convert', [], { input: svg })
    const [, width] = /width="(\d+)"/.exec(svg) ?? []
    t.equal(String(png.readUInt32BE(16)), width)
    for (const { title } of SERVICES) t.ok(svg.includes(`>${title}`), title)
    t.match(svg, '>IAM ✗<')
    t.notMatch(svg, /NaN|undefined/)
  },
)

t.test('a name can put nothing but text into the drawing', async (t) => {
  const [node] = graph.nodes.filter(({ name }) => name === 'iam')
  if (node === undefined) throw new Error('no iam')
  const evil = { ...node, name: 'evil', title: '</text><script>alert(1)</script>"&' }
  const svg = graphSvg({ ...graph, nodes: [...graph.nodes, evil] })
  t.notMatch(svg, '<script')
  t.match(svg, '&lt;script&gt;')
})
