import t from 'tap'
import { serviceByName } from '../../src/model/services.ts'
import { registerRack } from '../../src/rack/rack-run.ts'
import { containerMachine, noContainers, serveContainers } from '../support/served-containers.ts'

// A machine whose services do not become healthy, each in its own way. Real systemd, the real units and scripts; the
// stand-ins are made ill.

const MACHINE = containerMachine(1, '7b', 'all-in-one')
const LIMIT_SECONDS = 10
const STALL = `stall: { cluster_health_check_seconds: ${LIMIT_SECONDS} }\n`

/** In the order of the catalogue: how each is made ill, and the words for it. */
const ILL = [
  {
    service: 'prismnet',
    command: 'echo field >/var/lib/prismnet/ill',
    words:
      'wrong-field: status is "made ill", want healthy; networks is not there, want a value of type integer',
  },
  {
    service: 'fiberlb',
    command: 'echo status >/var/lib/fiberlb/ill',
    words: 'status: status 500, want 200',
  },
  {
    service: 'lightningstor',
    command: 'echo hang >/var/lib/lightningstor/ill',
    words: 'timeout: no answer within 3 s after the TLS handshake',
  },
  { service: 'k8shost', command: 'systemctl stop k8shost', words: 'refused: nothing listens there' },
] as const
const MEND = 'rm /var/lib/*/ill; systemctl start k8shost'

interface Diagnosis {
  readonly standing: string
  readonly stage: string
  readonly limit_ms: number
  readonly findings: readonly {
    readonly code: string
    readonly likelihood: string
    readonly evidence: string
    readonly impact: readonly string[]
    readonly mitigation: readonly string[]
  }[]
}

interface Explained {
  readonly diagnosis: Diagnosis
}

t.test(
  'services that never become healthy: the stall names each with cause, impact and mitigation, and ends when they are mended',
  { skip: noContainers, timeout: 400_000 },
  async (t) => {
    const { rack, api, cli, events, until, powerOn } = await serveContainers(t, [MACHINE], STALL)
    const { name } = MACHINE
    await registerRack(rack, api, 'hall')
    // Its services run while it stands at this gate; the health check, which has no gate, comes after it.
    await api('POST', `/machines/${name}/hold`, { step: 'iam-initial-setup' })
    await powerOn(MACHINE)
    await until('it stands at the gate before the check', async () => {
      const { gate } = await api<{ gate: { reason: string } | null; step: string }>(
        'GET',
        `/machines/${name}/diagnosis`,
      )
      return gate?.reason === 'held'
    })
    for (const { command } of ILL) await rack.inside(MACHINE, ['sh', '-c', command])
    await api('POST', `/machines/${name}/release`, {})

    await until('the stall is told', async () => (await events('machine.stalled')).length > 0)
    const [told] = await events('machine.stalled')
    t.match(told?.data, {
      name,
      stage: 'cluster-health-check',
      cause: 'service-unhealthy',
      evidence: /^prismnet on /,
    })

    const asked = await api<Diagnosis>('GET', `/machines/${name}/diagnosis`)
    t.match(asked, { standing: 'stalled', stage: 'cluster-health-check', limit_ms: LIMIT_SECONDS * 1000 })
    const explained = await api<Explained>('GET', `/machines/${name}/explain`)
    const byCli = await cli('explain', name, '--json')
    for (const [where, { findings }] of [
      ['the API’s diagnosis', asked],
      ['explain by the API', explained.diagnosis],
      ['explain by the command line', (JSON.parse(byCli.output) as Explained).diagnosis],
    ] as const) {
      const ill = findings.filter(({ code }) => code === 'service-unhealthy')
      t.equal(ill.length, ILL.length, `${where}: ${JSON.stringify(ill)}`)
      for (const [index, { service, words }] of ILL.entries()) {
        const { impact, mitigation } = serviceByName(service)
        const start = `${service} on ${MACHINE.address} is not healthy; asked `
        t.ok(ill[index]?.evidence.startsWith(start), `${where}: ${service}`)
        t.ok(ill[index]?.evidence.endsWith(` ago: ${words}`), `${where}: ${ill[index]?.evidence}`)
        t.equal(ill[index]?.likelihood, 'certain')
        t.strictSame(
          ill[index]?.impact,
          impact.map(({ what }) => what),
        )
        t.strictSame(ill[index]?.mitigation, mitigation)
      }
    }
    const shown = await cli('explain', name)
    t.match(shown.output, `${name}: stalled at cluster-health-check`)
    for (const { service } of ILL) {
      const { impact, mitigation } = serviceByName(service)
      for (const { what } of impact) t.ok(shown.output.includes(what), what)
      for (const what of mitigation) t.ok(shown.output.includes(what), what)
    }

    // Nobody tells the server or the machine anything.
    await rack.inside(MACHINE, ['sh', '-c', MEND])
    await until('it is ready', async () => {
      return (await api<{ state: string }>('GET', `/machines/${name}`)).state === 'ready'
    })
    t.match(await api<Diagnosis>('GET', `/machines/${name}/diagnosis`), { standing: 'ready', findings: [] })
    t.equal((await api<{ ready: boolean }>('GET', '/clusters/hall')).ready, true)
  },
)
