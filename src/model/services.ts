/** One of the nine services of a cluster, with the facts that everything else is made from. */
export interface Service {
  readonly name: ServiceName
  readonly title: string
  readonly level: 1 | 2 | 3
  readonly unitType: 'notify' | 'simple' | 'forking'
  /** systemd's After= beside network-online.target, Requires= and Wants=, by service name. */
  readonly after: readonly ServiceName[]
  readonly requires: readonly ServiceName[]
  readonly wants: readonly ServiceName[]
  /** The port of its API, where its health endpoint is. */
  readonly apiPort: number
  readonly otherPorts: readonly number[]
  readonly healthPath: string
  /** Seconds that a start usually takes. */
  readonly startSeconds: number
  /** Seconds after which systemd gives a start up. */
  readonly timeoutStartSeconds: number
}

export type ServiceName =
  | 'chainfire'
  | 'flaredb'
  | 'iam'
  | 'plasmavmc'
  | 'prismnet'
  | 'flashdns'
  | 'fiberlb'
  | 'lightningstor'
  | 'k8shost'

/** systemd's default, for the services whose unit states no limit of its own. */
const DEFAULT_TIMEOUT_START_SECONDS = 90

/** The catalogue. Where drawings and unit files of the cluster's documents differ, the unit files win (design §5). */
export const SERVICES: readonly Service[] = [
  {
    name: 'chainfire',
    title: 'Chainfire',
    level: 1,
    unitType: 'notify',
    after: [],
    requires: [],
    wants: [],
    apiPort: 2379,
    otherPorts: [2380, 2381],
    healthPath: '/health',
    startSeconds: 10,
    timeoutStartSeconds: 60,
  },
  {
    name: 'flaredb',
    title: 'FlareDB',
    level: 1,
    unitType: 'notify',
    after: ['chainfire'],
    requires: ['chainfire'],
    wants: [],
    apiPort: 2479,
    otherPorts: [2480],
    healthPath: '/health',
    startSeconds: 15,
    timeoutStartSeconds: 90,
  },
  {
    name: 'iam',
    title: 'IAM',
    level: 2,
    unitType: 'simple',
    after: ['flaredb'],
    requires: ['flaredb'],
    wants: [],
    apiPort: 8080,
    otherPorts: [],
    healthPath: '/health',
    startSeconds: 5,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
  {
    name: 'plasmavmc',
    title: 'PlasmaVMC',
    level: 3,
    unitType: 'notify',
    after: ['chainfire', 'iam'],
    requires: [],
    wants: ['chainfire', 'iam'],
    apiPort: 9090,
    otherPorts: [],
    healthPath: '/health',
    startSeconds: 10,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
  {
    name: 'prismnet',
    title: 'PrismNET',
    level: 3,
    unitType: 'notify',
    after: ['chainfire', 'iam'],
    requires: [],
    wants: ['chainfire'],
    apiPort: 9091,
    otherPorts: [4789],
    healthPath: '/health',
    startSeconds: 8,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
  {
    name: 'flashdns',
    title: 'FlashDNS',
    level: 3,
    unitType: 'forking',
    after: ['chainfire'],
    requires: [],
    wants: ['chainfire'],
    apiPort: 853,
    otherPorts: [53],
    healthPath: '/health',
    startSeconds: 3,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
  {
    name: 'fiberlb',
    title: 'FiberLB',
    level: 3,
    unitType: 'notify',
    after: ['chainfire', 'iam'],
    requires: [],
    wants: ['chainfire'],
    apiPort: 9092,
    otherPorts: [80, 443],
    healthPath: '/health',
    startSeconds: 5,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
  {
    name: 'lightningstor',
    title: 'LightningStor',
    level: 3,
    unitType: 'notify',
    after: ['chainfire', 'flaredb'],
    requires: [],
    wants: ['chainfire'],
    apiPort: 9093,
    otherPorts: [9094, 3260],
    healthPath: '/health',
    startSeconds: 12,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
  {
    name: 'k8shost',
    title: 'K8sHost',
    level: 3,
    unitType: 'notify',
    after: ['chainfire', 'plasmavmc', 'prismnet'],
    requires: [],
    wants: ['chainfire', 'prismnet'],
    apiPort: 10250,
    otherPorts: [10256],
    healthPath: '/healthz',
    startSeconds: 15,
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  },
]

/** The services of every control-plane machine, in start order. */
export const CONTROL_PLANE_SERVICES: readonly ServiceName[] = ['chainfire', 'flaredb', 'iam']

export function serviceByName(name: ServiceName): Service {
  const service = SERVICES.find((candidate) => candidate.name === name)
  if (service === undefined) throw new Error(`the catalogue has no service ${name}`)
  return service
}

/** Where the server and the nodes reach a service; a null path means that the service has no such endpoint. */
export type ServicesApi = Readonly<Record<string, Readonly<Record<string, string | number | null>>>>

/** Endpoints as a proposal, for clusters that set none: the cluster's documents name only `/health`. */
export const DEFAULT_SERVICES_API: ServicesApi = {
  chainfire: {
    port: 2379,
    health: '/health',
    list: '/cluster/members',
    found: '/cluster/bootstrap',
    join: '/cluster/members',
    promote: null,
  },
  flaredb: {
    port: 2479,
    health: '/health',
    list: '/cluster/members',
    found: '/cluster/bootstrap',
    join: '/cluster/members',
    promote: null,
  },
  iam: { port: 8080, health: '/health', setup: '/setup' },
}

/** The defaults with a cluster's own settings laid over them, key by key. */
export function servicesApiOf(own: ServicesApi | undefined): ServicesApi {
  const merged: Record<string, Readonly<Record<string, string | number | null>>> = { ...DEFAULT_SERVICES_API }
  for (const [service, endpoints] of Object.entries(own ?? {})) {
    merged[service] = { ...merged[service], ...endpoints }
  }
  return merged
}

/** Base URL of a service on a machine, `https://10.77.0.11:2379`. */
export function serviceUrl(api: ServicesApi, service: ServiceName, address: string): string {
  return `https://${address}:${api[service]?.port ?? serviceByName(service).apiPort}`
}
