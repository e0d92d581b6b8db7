import type { Service } from './service.ts'
import { SERVICES } from './services.ts'

/** `requires`: fails with it. `wants`: starts it too, and goes on without it. `after`: only the order. */
export type EdgeKind = 'requires' | 'wants' | 'after'

export interface GraphEdge {
  /** What comes first. */
  readonly from: string
  /** What waits for it. */
  readonly to: string
  readonly kind: EdgeKind
}

/** Who calls whom while the cluster runs, and for what. */
export interface DataFlow {
  readonly from: string
  readonly to: string
  readonly what: string
}

export interface ServiceGraph {
  readonly nodes: readonly {
    readonly name: string
    readonly title: string
    /** 0 for what is no service of ours. */
    readonly level: number
    readonly type: string
    readonly ports: readonly number[]
    readonly start_seconds: number
    readonly critical: boolean
  }[]
  readonly edges: readonly GraphEdge[]
  readonly flows: readonly DataFlow[]
}

export const NETWORK = 'network-online.target'

/** A request from outside on its way through the cluster, in order. */
const DATA_FLOWS: readonly DataFlow[] = [
  { from: 'client', to: 'fiberlb', what: 'HTTPS on port 8080, balanced over the instances' },
  { from: 'fiberlb', to: 'iam', what: 'forwards the request to be authenticated' },
  { from: 'iam', to: 'flaredb', what: 'checks the token in the token store' },
  { from: 'iam', to: 'plasmavmc', what: 'a request with a valid token' },
  { from: 'plasmavmc', to: 'chainfire', what: 'coordination' },
  { from: 'chainfire', to: 'worker', what: 'the machine that hosts the VM' },
  { from: 'plasmavmc', to: 'lightningstor', what: 'allocates storage' },
  { from: 'lightningstor', to: 'flaredb', what: 'stores its metadata' },
  { from: 'lightningstor', to: 'prismnet', what: 'the network is configured next' },
  { from: 'prismnet', to: 'flashdns', what: 'registers names' },
]

/** The dependency graph of the catalogue: every edge is a line of a unit file. */
export function serviceGraph(): ServiceGraph {
  const services = SERVICES.map((service) => ({
    name: service.name,
    title: service.title,
    level: service.level,
    type: service.unitType,
    ports: service.ports.map(({ port }) => port),
    start_seconds: service.startSeconds,
    critical: service.critical !== undefined,
  }))
  const network = {
    name: NETWORK,
    title: NETWORK,
    level: 0,
    type: 'target',
    ports: [],
    start_seconds: 0,
    critical: false,
  }
  return { nodes: [network, ...services], edges: SERVICES.flatMap(edgesOf), flows: DATA_FLOWS }
}

function edgesOf(service: Service): readonly GraphEdge[] {
  const to = service.name
  const network: readonly GraphEdge[] = service.needsNetworkOnline
    ? [{ from: NETWORK, to, kind: 'wants' }]
    : []
  return [
    ...network,
    ...service.after.map((from) => {
      const kind = service.requires.includes(from)
        ? 'requires'
        : service.wants.includes(from)
          ? 'wants'
          : 'after'
      return { from, to, kind } as const
    }),
  ]
}

const DOT_STYLES: Readonly<Record<EdgeKind, string>> = {
  requires: 'style=bold',
  wants: 'style=dashed',
  after: 'style=dotted',
}

/** The graph for Graphviz. */
export function graphDot(graph: ServiceGraph): string {
  const nodes = graph.nodes.map(({ name, title, level, ports }) => {
    const label = level === 0 ? title : `${title}\\nlevel ${level}, port ${ports.join(', ')}`
    return `  "${name}" [label="${label}"${level === 0 ? ', shape=ellipse' : ''}];`
  })
  const edges = graph.edges.map(
    ({ from, to, kind }) => `  "${from}" -> "${to}" [${DOT_STYLES[kind]}, label="${kind}"];`,
  )
  return ['digraph services {', '  rankdir=TB;', '  node [shape=box];', ...nodes, ...edges, '}', ''].join(
    '\n',
  )
}
