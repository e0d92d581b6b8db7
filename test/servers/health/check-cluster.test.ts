import t, { type Test } from 'tap'
import type { Machine } from '../../../src/model/machine.ts'
import type { ServiceName } from '../../../src/model/service.ts'
import { SERVICES } from '../../../src/model/services.ts'
import { type ClusterCheck, checkCluster } from '../../../src/servers/health/check-cluster.ts'
import { aCluster, aMachine } from '../../support/builders.ts'
import { type Behaviour, NineServices } from '../../support/nine-services.ts'

// The server's own check, over real TLS and real DNS, of services that are well or ill in every way.

const ADDRESS = `127.83.${(process.pid % 250) + 1}.11`
const NAMES = SERVICES.map(({ name }) => name)

async function checked(
  t: Test,
  ills: Partial<Record<ServiceName, Behaviour>>,
  dns: 'right' | 'wrong' | 'off' = 'right',
  role: Machine['role'] = 'all-in-one',
): Promise<ClusterCheck> {
  const nine = new NineServices(ADDRESS)
  t.teardown(() => nine.close())
  await nine.start(ills, dns)
  const cluster = aCluster({ settings: { healthCa: nine.identity.caPem, servicesApi: nine.servicesApi } })
  return checkCluster({ cluster, authorizationFor: () => undefined }, [
    { machine: aMachine({ role }), address: ADDRESS, votes: true },
  ])
}

function wordsOf(check: ClusterCheck): Readonly<Record<string, string>> {
  return Object.fromEntries(
    check.results.map(({ service, endpoint, verdict }) => [
      endpoint.startsWith('dns:') ? `${service} dns` : service,
      verdict.word,
    ]),
  )
}

t.test('all nine healthy, with a leader: the cluster is healthy', async (t) => {
  const check = await checked(t, {})
  t.equal(check.healthy, true, JSON.stringify(check.results.map(({ verdict }) => verdict)))
  t.strictSame(wordsOf(check), {
    ...Object.fromEntries(NAMES.map((name) => [name, 'healthy'])),
    'flashdns dns': 'healthy',
  })
  t.strictSame(check.outages, [])
  t.match(check.quorum, [
    { service: 'chainfire', ok: true, voters: 1, leaders: ['node01'] },
    { service: 'flaredb', ok: true, voters: 1, leaders: ['node01'] },
  ])
})

t.test('each way of being ill has its own word, and the impact of the catalogue', async (t) => {
  const check = await checked(
    t,
    {
      chainfire: 'wrong-field',
      flaredb: 'status',
      iam: 'timeout',
      plasmavmc: 'refused',
      prismnet: 'bad-certificate',
      fiberlb: 'not-json',
      lightningstor: 'no-tls',
      k8shost: 'wrong-field',
      flashdns: 'dns-over-tls',
    },
    'wrong',
  )
  t.equal(check.healthy, false)
  t.strictSame(wordsOf(check), {
    chainfire: 'wrong-field',
    flaredb: 'status',
    iam: 'timeout',
    plasmavmc: 'refused',
    prismnet: 'bad-certificate',
    fiberlb: 'not-json',
    lightningstor: 'no-tls',
    k8shost: 'wrong-body',
    flashdns: 'healthy',
    'flashdns dns': 'wrong-answer',
  })
  const detail = (service: string) =>
    check.results.find((result) => result.service === service)?.verdict.detail
  t.match(detail('chainfire'), /status is "starting", want healthy/)
  t.match(detail('flaredb'), /status 500, want 200/)
  t.match(detail('k8shost'), /got "not ok", want ok/)
  t.strictSame(
    check.outages.map(({ service }) => service),
    NAMES,
  )
  t.match(check.outages[0], { extent: 'all', machines: ['node01'] })
  t.match(check.outages[0]?.impact[0], { severity: 'failure', what: 'the whole cluster fails' })
  t.equal(check.quorum[0]?.ok, false)
})

t.test('port 853 is asked both ways, and the result tells which answered', async (t) => {
  const speaks = async (behaviour: Behaviour) => {
    const check = await checked(t, { flashdns: behaviour })
    return check.results.find(
      ({ service, endpoint }) => service === 'flashdns' && endpoint.startsWith('https:'),
    )
  }
  t.match(await speaks('healthy'), { verdict: { word: 'healthy' }, speaks: { https: 'healthy' } })
  t.not((await speaks('healthy'))?.speaks?.dns_over_tls, 'healthy')
  t.match(await speaks('dns-over-tls'), { verdict: { word: 'healthy' }, speaks: { dns_over_tls: 'healthy' } })
  t.not((await speaks('dns-over-tls'))?.speaks?.https, 'healthy')
  t.match(await speaks('refused'), {
    verdict: { word: 'refused' },
    speaks: { https: 'refused', dns_over_tls: 'refused' },
  })
})

t.test('a DNS server that is not there is refused or silent, never well', async (t) => {
  const check = await checked(t, {}, 'off')
  t.match(wordsOf(check)['flashdns dns'], /^(?:refused|timeout)$/)
})

t.test('a machine is asked for the services of its role only', async (t) => {
  const check = await checked(t, {}, 'right', 'control-plane')
  t.strictSame(Object.keys(wordsOf(check)), ['chainfire', 'flaredb', 'iam'])
})
