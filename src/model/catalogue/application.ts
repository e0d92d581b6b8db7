import { DEFAULT_TIMEOUT_START_SECONDS, type HealthCheck, RESTART_SECONDS, type Service } from '../service.ts'

/** What the units of all application services have in common. */
const COMMON = {
  level: 3,
  needsNetworkOnline: false,
  requires: [],
  timeoutStartSeconds: DEFAULT_TIMEOUT_START_SECONDS,
  restartSeconds: RESTART_SECONDS,
  extras: {},
} as const

/** `{"status": "healthy"}` and counts beside it. */
function healthyWith(port: number, counts: readonly string[]): HealthCheck {
  return {
    kind: 'json',
    port,
    path: '/health',
    fields: {
      status: { type: 'string', values: ['healthy'] },
      ...Object.fromEntries(counts.map((name) => [name, { type: 'integer' } as const])),
    },
  }
}

/** Level 3: they start beside each other, each as soon as what it comes after is up. */
export const APPLICATION: readonly Service[] = [
  {
    ...COMMON,
    name: 'plasmavmc',
    title: 'PlasmaVMC',
    description: 'PlasmaVMC Virtual Machine Controller',
    purpose: 'starts, stops and places virtual machines',
    unitType: 'notify',
    after: ['chainfire', 'iam'],
    wants: ['chainfire', 'iam'],
    apiPort: 9090,
    ports: [{ port: 9090, use: 'API' }],
    startSeconds: 10,
    healthPath: '/health',
    health: [healthyWith(9090, ['vms_running'])],
    impact: [
      { severity: 'failure', what: 'VMs can be neither created nor deleted' },
      { severity: 'unaffected', what: 'existing VMs are not affected' },
      { severity: 'degraded', what: 'VMs are not monitored' },
    ],
    mitigation: [
      'several instances',
      'it keeps no state of its own (a database does)',
      'VMs restart by themselves',
    ],
  },
  {
    ...COMMON,
    name: 'prismnet',
    title: 'PrismNET',
    description: 'PrismNET Software-Defined Networking',
    purpose: 'runs virtual networks and their VXLAN overlay',
    unitType: 'notify',
    after: ['chainfire', 'iam'],
    wants: ['chainfire'],
    apiPort: 9091,
    ports: [
      { port: 9091, use: 'API' },
      { port: 4789, use: 'VXLAN' },
    ],
    startSeconds: 8,
    healthPath: '/health',
    health: [healthyWith(9091, ['networks'])],
    impact: [
      { severity: 'failure', what: 'new networks cannot be created' },
      { severity: 'unaffected', what: 'existing networks work' },
      { severity: 'degraded', what: 'VXLAN tunnels stay as they are' },
    ],
    mitigation: ['several instances', 'agents on every node', 'a highly available control plane'],
  },
  {
    ...COMMON,
    name: 'flashdns',
    title: 'FlashDNS',
    description: 'FlashDNS High-Performance DNS',
    purpose: 'resolves names for VMs and services',
    unitType: 'forking',
    after: ['chainfire'],
    wants: ['chainfire'],
    // Its health endpoint shares the port of DNS over TLS.
    apiPort: 853,
    ports: [
      { port: 53, use: 'DNS' },
      { port: 853, use: 'DNS over TLS' },
    ],
    startSeconds: 3,
    healthPath: '/health',
    health: [
      { kind: 'dns', port: 53, name: 'health.local', address: '127.0.0.1' },
      {
        kind: 'json',
        port: 853,
        path: '/health',
        fields: { status: { type: 'string', values: ['healthy'] } },
        orDnsOverTls: { name: 'health.local', address: '127.0.0.1' },
      },
    ],
    impact: [
      { severity: 'degraded', what: 'names are not resolved' },
      { severity: 'unaffected', what: 'existing connections work' },
      { severity: 'degraded', what: 'new connections are affected' },
    ],
    mitigation: ['several instances', 'answers are cached', 'a fallback DNS server'],
  },
  {
    ...COMMON,
    name: 'fiberlb',
    title: 'FiberLB',
    description: 'FiberLB Layer 4/7 Load Balancer',
    purpose: 'spreads traffic over the instances of a service',
    unitType: 'notify',
    after: ['chainfire', 'iam'],
    wants: ['chainfire'],
    apiPort: 9092,
    ports: [
      { port: 9092, use: 'API' },
      { port: 80, use: 'HTTP' },
      { port: 443, use: 'HTTPS' },
    ],
    startSeconds: 5,
    healthPath: '/health',
    health: [healthyWith(9092, ['backends'])],
    impact: [
      { severity: 'degraded', what: 'load is not balanced' },
      { severity: 'unaffected', what: 'direct access to the APIs works' },
      { severity: 'degraded', what: 'requests of clients may time out' },
    ],
    mitigation: ['several instances', 'the virtual IP moves to another', 'health checks'],
  },
  {
    ...COMMON,
    name: 'lightningstor',
    title: 'LightningStor',
    description: 'LightningStor Distributed Block Storage',
    purpose: 'gives VMs and containers block storage',
    unitType: 'notify',
    after: ['chainfire', 'flaredb'],
    wants: ['chainfire'],
    apiPort: 9093,
    ports: [
      { port: 9093, use: 'API' },
      { port: 9094, use: 'Replication' },
      { port: 3260, use: 'iSCSI' },
    ],
    startSeconds: 12,
    healthPath: '/health',
    health: [healthyWith(9093, ['volumes', 'total_gb'])],
    impact: [
      { severity: 'degraded', what: 'storage may become slower' },
      { severity: 'unaffected', what: 'replicas on other nodes serve on' },
      { severity: 'failure', what: 'new volumes cannot be created' },
    ],
    mitigation: ['three replicas', 'data is rebalanced by itself', 'a cluster of several nodes'],
  },
  {
    ...COMMON,
    name: 'k8shost',
    title: 'K8sHost',
    description: 'K8sHost Kubernetes Node Agent',
    purpose: 'makes a machine a Kubernetes node',
    unitType: 'notify',
    after: ['chainfire', 'plasmavmc', 'prismnet'],
    wants: ['chainfire', 'prismnet'],
    apiPort: 10250,
    ports: [
      { port: 10250, use: 'Kubelet' },
      { port: 10256, use: 'Health' },
    ],
    startSeconds: 15,
    healthPath: '/healthz',
    health: [{ kind: 'text', port: 10250, path: '/healthz', body: 'ok' }],
    impact: [
      { severity: 'degraded', what: 'pods of the failed node are evicted' },
      { severity: 'unaffected', what: 'the cluster goes on' },
      { severity: 'degraded', what: 'there is less capacity' },
    ],
    mitigation: [
      'replicas of pods',
      'Kubernetes is highly available',
      'pods are scheduled anew by themselves',
    ],
  },
]
