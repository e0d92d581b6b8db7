import type { HealthCheck, ServiceName } from '../../model/service.ts'
import type { EndpointResult } from '../../policy/cluster/cluster-health.ts'
import { judgeHealth } from '../../policy/cluster/judge-health.ts'
import { askDns, askDnsOverTls } from './ask-dns.ts'
import { type Asking, askHttps } from './ask-https.ts'

/** Asks one endpoint of a service by the way that its check names, and judges what came back. A port that may speak DNS over TLS as well is asked both ways. */
export async function askEndpoint(
  address: string,
  service: ServiceName,
  check: HealthCheck,
  asking: Asking,
): Promise<Omit<EndpointResult, 'machine'>> {
  const startedAt = performance.now()
  const took = () => Math.round(performance.now() - startedAt)
  const common = { address, service }
  if (check.kind === 'dns') {
    const answer = await askDns(address, check.port, check.name, asking)
    const endpoint = `dns://${address}:${check.port}/${check.name}`
    return { ...common, endpoint, verdict: judgeHealth(check, answer), ms: took() }
  }
  const endpoint = `https://${address}:${check.port}${check.path}`
  if (check.kind === 'text' || check.orDnsOverTls === undefined) {
    return { ...common, endpoint, verdict: judgeHealth(check, await askHttps(endpoint, asking)), ms: took() }
  }
  const { name } = check.orDnsOverTls
  const [byHttps, byDns] = await Promise.all([
    askHttps(endpoint, asking).then((answer) => judgeHealth(check, answer)),
    askDnsOverTls(address, check.port, name, asking).then((answer) => judgeHealth(check, answer)),
  ])
  const speaks = { https: byHttps.word, dns_over_tls: byDns.word }
  const verdict = byHttps.word !== 'healthy' && byDns.word === 'healthy' ? byDns : byHttps
  return { ...common, endpoint, verdict, speaks, ms: took() }
}
