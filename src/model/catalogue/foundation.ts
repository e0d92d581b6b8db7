import { DEFAULT_TIMEOUT_START_SECONDS, RESTART_SECONDS, type Service } from '../service.ts'

const HEALTHY = { type: 'string', values: ['healthy'] } as const
const RAFT_ROLE = { type: 'string', values: ['leader', 'follower'] } as const
const CONNECTED = { type: 'string', values: ['connected'] } as const

/** Level 1: what everything else stands on. */
export const FOUNDATION: readonly Service[] = [
  {
    name: 'chainfire',
    title: 'Chainfire',
    description: 'Chainfire Distributed Configuration Service',
    purpose: 'holds the configuration of the cluster and finds its services',
    level: 1,
    critical: 'every other service depends on it',
    unitType: 'notify',
    needsNetworkOnline: true,
    after: [],
    requires: [],
    wants: [],
    apiPort: 2379,
    ports: [
      { port: 2379, use: 'API' },
      { port: 2380, use: 'Raft' },
      { port: 2381, use: 'Gossip' },
    ],
    dataDirectory: '/var/lib/chainfire',
    startSeconds: 10,
    timeoutStartSeconds: 60,
    restartSeconds: RESTART_SECONDS,
    extras: {
      environment: { CHAINFIRE_LOG_LEVEL: 'info' },
      environmentFile: '/etc/nixos/secrets/chainfire.env',
      user: 'chainfire',
      stateDirectory: 'chainfire',
      configurationDirectory: 'chainfire',
      hardening: {
        PrivateTmp: 'true',
        ProtectSystem: 'strict',
        ProtectHome: 'true',
        NoNewPrivileges: 'true',
      },
    },
    healthPath: '/health',
    health: [
      {
        kind: 'json',
        port: 2379,
        path: '/health',
        fields: { status: HEALTHY, raft: RAFT_ROLE, cluster_size: { type: 'integer' } },
      },
    ],
    impact: [
      { severity: 'failure', what: 'the whole cluster fails' },
      { severity: 'failure', what: 'all services lose their configuration' },
      { severity: 'failure', what: 'new VMs cannot start' },
    ],
    mitigation: [
      'Raft quorum (3 of 5)',
      'data is replicated',
      'existing VMs run on',
      'a new leader is elected by itself',
    ],
  },
  {
    name: 'flaredb',
    title: 'FlareDB',
    description: 'FlareDB Time-Series Database',
    purpose: 'stores metrics and events as time series',
    level: 1,
    critical: 'IAM and monitoring depend on it',
    unitType: 'notify',
    needsNetworkOnline: true,
    after: ['chainfire'],
    requires: ['chainfire'],
    wants: [],
    apiPort: 2479,
    ports: [
      { port: 2479, use: 'API' },
      { port: 2480, use: 'Raft' },
    ],
    dataDirectory: '/var/lib/flaredb',
    startSeconds: 15,
    startsAfter: 'chainfire',
    timeoutStartSeconds: 90,
    restartSeconds: RESTART_SECONDS,
    extras: {
      // The documents wait for Chainfire without end; systemd bounds it by TimeoutStartSec.
      execStartPre: "/bin/sh -c 'until curl -k https://localhost:2379/health; do sleep 5; done'",
    },
    healthPath: '/health',
    health: [
      {
        kind: 'json',
        port: 2479,
        path: '/health',
        fields: { status: HEALTHY, raft: RAFT_ROLE, chainfire: CONNECTED },
      },
    ],
    impact: [
      { severity: 'failure', what: 'metrics are not collected' },
      { severity: 'failure', what: 'IAM cannot authenticate' },
      { severity: 'degraded', what: 'existing VMs go on' },
    ],
    mitigation: [
      'Raft quorum (3 of 5)',
      'the last tokens are cached',
      'new VMs are blocked meanwhile',
      'data is replicated',
    ],
  },
]

/** Level 2: what every API needs. */
export const CORE: readonly Service[] = [
  {
    name: 'iam',
    title: 'IAM',
    description: 'IAM Identity and Access Management',
    purpose: 'authenticates and authorises the requests of every API',
    level: 2,
    critical: 'access to the APIs needs its tokens',
    unitType: 'simple',
    needsNetworkOnline: false,
    after: ['flaredb'],
    requires: ['flaredb'],
    wants: [],
    apiPort: 8080,
    ports: [{ port: 8080, use: 'API' }],
    backend: 'flaredb',
    startSeconds: 5,
    startsAfter: 'flaredb',
    timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
    restartSeconds: RESTART_SECONDS,
    extras: {},
    healthPath: '/health',
    health: [
      {
        kind: 'json',
        port: 8080,
        path: '/health',
        fields: { status: HEALTHY, database: CONNECTED, version: { type: 'string' } },
      },
    ],
    impact: [
      { severity: 'failure', what: 'new API requests fail' },
      { severity: 'degraded', what: 'sessions that exist stay valid' },
      { severity: 'degraded', what: 'internal services are not affected' },
    ],
    mitigation: ['tokens are cached for their time to live', 'several instances', 'load balancing'],
  },
]
