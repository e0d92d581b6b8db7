/** The nine services that a cluster runs. */
export const SERVICE_NAMES = [
  'chainfire',
  'flaredb',
  'iam',
  'plasmavmc',
  'prismnet',
  'flashdns',
  'fiberlb',
  'lightningstor',
  'k8shost',
] as const

export type ServiceName = (typeof SERVICE_NAMES)[number]

/** A port that a service listens on, and what for: `API`, `Raft`. */
export interface ServicePort {
  readonly port: number
  readonly use: string
}

/**
 * What one field of a health answer must be. The examples of the cluster's documents ("cluster_size": 3) give fields and
 * types; `values` stands only where a value means health.
 */
export interface FieldRule {
  readonly type: 'string' | 'integer'
  readonly values?: readonly string[]
}

/** One way to ask a service for its health, and the answer that means health. */
export type HealthCheck =
  /** HTTPS GET; a 200 with a JSON object of these fields. */
  | {
      readonly kind: 'json'
      readonly port: number
      readonly path: string
      readonly fields: Readonly<Record<string, FieldRule>>
      /** The port speaks DNS over TLS as well: which of the two answered is told, and either will do. */
      readonly orDnsOverTls?: { readonly name: string; readonly address: string }
    }
  /** HTTPS GET; a 200 whose body is this text, surrounding white space aside. */
  | { readonly kind: 'text'; readonly port: number; readonly path: string; readonly body: string }
  /** A DNS query for an A record, over UDP from the server and over TCP from the node itself. */
  | { readonly kind: 'dns'; readonly port: number; readonly name: string; readonly address: string }

/** How bad one consequence of a failure is: what stops, what gets worse, what goes on. */
export type Severity = 'failure' | 'degraded' | 'unaffected'

export interface Impact {
  readonly severity: Severity
  readonly what: string
}

/** The lines of a unit's `[Service]` section that the documents give for this service alone. */
export interface UnitExtras {
  readonly environment?: Readonly<Record<string, string>>
  /** Read when it is there; a missing file is no error. */
  readonly environmentFile?: string
  readonly execStartPre?: string
  /** `User=` and `Group=`. */
  readonly user?: string
  readonly stateDirectory?: string
  readonly configurationDirectory?: string
  readonly hardening?: Readonly<Record<string, string>>
}

/** One of the nine services of a cluster, with the facts that everything else is made from. */
export interface Service {
  readonly name: ServiceName
  readonly title: string
  /** What `Description=` says. */
  readonly description: string
  readonly purpose: string
  readonly level: 1 | 2 | 3
  /** Why the whole cluster needs it; undefined for a service that it can do without for a while. */
  readonly critical?: string
  readonly unitType: 'notify' | 'simple' | 'forking'
  /** `After=` and `Wants=` network-online.target. */
  readonly needsNetworkOnline: boolean
  /** systemd's After= (beside network-online.target), Requires= and Wants=, by service name. */
  readonly after: readonly ServiceName[]
  readonly requires: readonly ServiceName[]
  readonly wants: readonly ServiceName[]
  /** The port of its API, where its health endpoint is. */
  readonly apiPort: number
  /** All its ports, the API's first. */
  readonly ports: readonly ServicePort[]
  /** Where its data lies; undefined where the documents name no place. */
  readonly dataDirectory?: string
  /** The service that holds its data; undefined where it holds them itself or has none. */
  readonly backend?: ServiceName
  /** Seconds that a start usually takes. */
  readonly startSeconds: number
  /** The service from whose start those seconds count; undefined: from its own unit's. */
  readonly startsAfter?: ServiceName
  /** Seconds after which systemd gives a start up. */
  readonly timeoutStartSeconds: number
  readonly restartSeconds: number
  readonly extras: UnitExtras
  readonly healthPath: string
  readonly health: readonly HealthCheck[]
  readonly impact: readonly Impact[]
  readonly mitigation: readonly string[]
}

/** systemd's default, for the services whose unit states no limit of its own. */
export const DEFAULT_TIMEOUT_START_SECONDS = 90

/** `Restart=on-failure` after so many seconds, in every unit. */
export const RESTART_SECONDS = 10
