import type { Cluster } from '../../model/cluster.ts'
import type { Machine } from '../../model/machine.ts'
import { CONTROL_PLANE_SERVICES, servicesApiOf } from '../../model/services.ts'
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
  const base = `${bootUrl}/machines/${macInPath(parts.mac)}`
  const peers = parts.controlPlaneAddresses
  const config = {
    ...cluster.settings.extraConfig,
    schema_version: 1,
    server_id: parts.serverId,
    node_id: machine.name,
    node_role: machine.role,
    cluster_id: cluster.id,
    cluster_name: cluster.name,
    member_id: parts.memberId,
    keep_data: parts.keepData,
    bootstrap: parts.bootstrap,
    bootstrap_epoch: parts.bootstrap ? cluster.founding.nextEpoch : cluster.founding.epoch,
    leader_url: parts.leaderUrl,
    raft_addr: `${address}:${CHAINFIRE_RAFT_PORT}`,
    initial_peers: peers.map((peer) => `${peer}:${CHAINFIRE_RAFT_PORT}`),
    flaredb_peers: peers.map((peer) => `${peer}:${FLAREDB_RAFT_PORT}`),
    iam_endpoint: `https://${address}:8080`,
    services: [...CONTROL_PLANE_SERVICES],
    services_api: servicesApiOf(cluster.settings.servicesApi),
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
