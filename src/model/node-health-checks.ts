import type { HealthCheck } from './service.ts'
import { SERVICES } from './services.ts'

/**
 * What `cluster-health-check.sh` reads beside itself, as JSON: for each service its checks in the catalogue's terms.
 * Ports and paths come from the machine's own `services_api`; here are the answers that mean health.
 */
export function nodeHealthChecks(): string {
  const checks = Object.fromEntries(SERVICES.map(({ name, health }) => [name, health.map(forNode)]))
  return `${JSON.stringify(checks, null, 2)}\n`
}

function forNode(check: HealthCheck): object {
  switch (check.kind) {
    case 'json':
      return { kind: 'json', fields: check.fields, or_dns_over_tls: check.orDnsOverTls !== undefined }
    case 'text':
      return { kind: 'text', body: check.body }
    case 'dns':
      return { kind: 'dns', name: check.name, address: check.address }
  }
}
