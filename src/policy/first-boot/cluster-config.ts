import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { servicesApiOf, servicesOf, serviceUrl } from '../../model/services.ts'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { Mac } from '../../net/mac.ts'
import { macInPath } from '../../net/mac.ts'

const CHAINFIRE_RAFT_PORT = 2380
const FLAREDB_RAFT_PORT = 2480

/** The keys of `cluster-config.json` that are ours; an operator's extra configuration may not use them. */
export const RESERVED_KEYS: readonly string[] = [
  'schema_version',
  'server_id',
  'node_id',
  'node_role',
  'cluster_id',
  'cluster_name',
  'member_id',
  'keep_data',
  'keep_data_by_service',
  'bootstrap',
  'bootstrap_epoch',
  'leader_url',
  'raft_addr',
  'initial_peers',
  'flaredb_peers',
  'iam_endpoint',
  'services',
  'services_api',
  'provisioning',
]

/** What one machine's configuration is made of. */
export interface ConfigParts {
  readonly serverId: string
  readonly machine: Machine
  readonly mac: Mac
  readonly cluster: Cluster
  /** The machine's own address, the one that redeems. */
  readonly address: Ipv4
  readonly memberId: string
  /** The member id whose data may be used; null: none. */
  readonly keepData: string | null
  /** The same, group by group: they differ where one group's data was lost alone. */
  readonly keepDataByService: { readonly chainfire: string | null; readonly flaredb: string | null }
  readonly bootstrap: boolean
  readonly bootId: string
  readonly leaderUrl: string | null
  /** Addresses of the cluster's control-plane machines as far as known, this one among them. */
  readonly controlPlaneAddresses: readonly Ipv4[]
  readonly bootUrl: string
  readonly reportToken: string
}

/** Writes a machine's `cluster-config.json`: the exact bytes that it gets, and gets again for the same nonce. */
export function clusterConfigText(parts: ConfigParts): string {
  const { machine, cluster, address, bootUrl } = parts
  const api = servicesApiOf(cluster.settings.servicesApi)
  const base = `${bootUrl}/machines/${macInPath(parts.mac)}`
  const peers = parts.controlPlaneAddresses
  const services = servicesOf(machine.role, cluster.settings.services)
  const iamAddress = services.includes('iam') ? address : peers[0]
  const config = {
    ...layered([
      cluster.settings.extraConfig,
      cluster.settings.roleConfig?.[machine.role],
      machine.extraConfig,
    ]),
    schema_version: 1,
    server_id: parts.serverId,
    node_id: machine.name,
    node_role: machine.role,
    cluster_id: cluster.id,
    cluster_name: cluster.name,
    member_id: parts.memberId,
    keep_data: parts.keepData,
    keep_data_by_service: parts.keepDataByService,
    bootstrap: parts.bootstrap,
    bootstrap_epoch: parts.bootstrap ? cluster.founding.nextEpoch : cluster.founding.epoch,
    leader_url: parts.leaderUrl,
    raft_addr: `${address}:${CHAINFIRE_RAFT_PORT}`,
    initial_peers: peers.map((peer) => `${peer}:${CHAINFIRE_RAFT_PORT}`),
    flaredb_peers: peers.map((peer) => `${peer}:${FLAREDB_RAFT_PORT}`),
    iam_endpoint: iamAddress === undefined ? null : serviceUrl(api, 'iam', iamAddress),
    services,
    services_api: api,
    provisioning: {
      machine_id: machine.id,
      boot_id: parts.bootId,
      report_url: `${base}/reports`,
      gate_url: `${base}/gates`,
      report_token: parts.reportToken,
      health_ca: cluster.settings.healthCa ?? null,
    },
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

type Extra = Readonly<Record<string, unknown>>

/** Later layers over earlier ones, key by key, objects inside objects too; any other value replaces what was there. */
export function layered(layers: readonly (Extra | undefined)[]): Extra {
  return layers.reduce<Extra>((merged, layer) => (layer === undefined ? merged : laidOver(merged, layer)), {})
}

function laidOver(below: Extra, above: Extra): Extra {
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above)) {
    const before = merged[key]
    merged[key] = isObject(before) && isObject(value) ? laidOver(before, value) : value
  }
  return merged
}

function isObject(value: unknown): value is Extra {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first of our own keys that an operator's extra configuration uses; undefined: none. */
export function reservedKeyIn(extra: Extra | undefined): string | undefined {
  return Object.keys(extra ?? {}).find((key) => RESERVED_KEYS.includes(key) || key === '__proto__')
}
