import { readFileSync } from 'node:fs'
import t from 'tap'
import type { RackMachine } from '../../src/rack/rack.ts'
import { runRack } from '../../src/rack/rack-run.ts'
import type { ContainerRack } from '../support/container-rack.ts'
import { containerMachine, noContainers, serveContainers } from '../support/served-containers.ts'

// Real systemd, the real units and scripts, DHCP on a real link, and stand-ins for all nine services.

const STEPS = ['chainfire-cluster-join', 'flaredb-cluster-join', 'iam-initial-setup', 'cluster-health-check']
const MACHINES: readonly RackMachine[] = [
  containerMachine(1, '79', 'all-in-one'),
  containerMachine(2, '79', 'worker'),
]

interface Check {
  readonly healthy: boolean
  readonly endpoints: readonly {
    readonly machine: string
    readonly service: string
    readonly result: string
    readonly detail: string
  }[]
  readonly quorum: readonly { readonly service: string; readonly ok: boolean; readonly voters: number }[]
  readonly outages: readonly { readonly service: string; readonly machines: readonly string[] }[]
}

t.test(
  'an all-in-one machine and a worker come up with every service of their role',
  { skip: noContainers, timeout: 400_000 },
  async (t) => {
    const { rack, server, api, cli, consoles } = await serveContainers(t, MACHINES)
    const startedAt = Date.now()
    const result = await runRack({
      rack,
      call: api,
      clusterName: 'hall',
      timeoutMs: 240_000,
      onProgress: () => undefined,
      signal: new AbortController().signal,
    })
    t.comment(`ready after ${(Date.now() - startedAt) / 1000} s`)
    t.equal(result.isReady, true, consoles())
    if (!result.isReady) return

    for (const {
      machine: { name },
      boot,
    } of result.views) {
      t.strictSame(
        boot?.steps.map(({ step, state }) => `${step} ${state}`),
        STEPS.map((step) => `${step} succeeded`),
        name,
      )
    }
    const skipped = result.views[1]?.boot?.steps.find(({ step }) => step === 'iam-initial-setup')
    t.equal(skipped?.reason, 'skip', 'a worker has no IAM to set up')

    const check = await api<Check>('GET', '/clusters/hall/check')
    const asked = (name: string) =>
      check.endpoints.filter((row) => row.machine === name).map((row) => `${row.service} ${row.result}`)
    t.strictSame(
      asked('node01'),
      [
        ...['chainfire healthy', 'flaredb healthy', 'iam healthy', 'plasmavmc healthy', 'prismnet healthy'],
        ...[
          'flashdns healthy',
          'flashdns healthy',
          'fiberlb healthy',
          'lightningstor healthy',
          'k8shost healthy',
        ],
      ],
      JSON.stringify(check.endpoints.filter((row) => row.result !== 'healthy')),
    )
    t.equal(asked('node02').length, 9, 'nine endpoints of eight services')
    t.notOk(asked('node02').some((row) => row.startsWith('iam')))
    t.match(check.quorum, [
      { service: 'chainfire', ok: true },
      { service: 'flaredb', ok: true },
    ])
    t.equal(check.healthy, true)

    // In the order of the units, by systemd's own clock.
    const [first, second] = MACHINES as [RackMachine, RackMachine]
    const order = ['pilotlight-config', 'chainfire', STEPS[0], 'flaredb', STEPS[1], 'iam', STEPS[2], STEPS[3]]
    const times = await activeSince(rack, first, order as string[])
    t.strictSame(
      [...times].sort((a, b) => a - b),
      times,
      'each unit became active after the one before it',
    )
    t.equal(await stateOf(rack, second, 'iam'), 'inactive', 'not of its role: not started')
    t.equal(await stateOf(rack, second, 'k8shost'), 'active')
    t.equal(await stateOf(rack, second, 'flashdns'), 'active', 'Type=forking')
    t.equal((await rack.inside(first, ['systemctl', '--failed', '--no-legend'])).trim(), '')
    const marker = await rack.inside(second, ['cat', '/var/lib/chainfire/.pilotlight-marker'])
    t.match(marker, /:1:node02\.1$/)

    // The operator's command, with a service stopped.
    await rack.inside(second, ['systemctl', 'stop', 'k8shost'])
    const ill = await cli('cluster', 'check', 'hall', '--json')
    t.equal(ill.code, 1)
    const told = JSON.parse(ill.output) as Check
    t.match(told.outages, [{ service: 'k8shost', machines: ['node02'] }])
    t.equal(
      told.endpoints.find((row) => row.machine === 'node02' && row.service === 'k8shost')?.result,
      'refused',
    )
    const table = await cli('cluster', 'check', 'hall')
    t.match(table.output, /k8shost is ill on node02/)
    t.match(table.output, /pods of the failed node are evicted/)
    t.match((await cli('cluster', 'graph', 'hall', '--format', 'svg')).output, /^<svg[\s\S]*K8sHost !/)

    // The password of IAM's administrator: what IAM got, once.
    const password = await cli('cluster', 'iam-password', 'hall', '--json')
    t.equal(password.code, 0, password.output)
    t.ok(JSON.parse(password.output).admin_password.length >= 32)
    const again = await cli('cluster', 'iam-password', 'hall')
    t.equal(again.code, 1)
    const logs =
      readFileSync(server.logFile, 'utf8') +
      rack.machines.map((each) => readFileSync(rack.logOf(each), 'utf8')).join('')
    t.notOk(logs.includes(JSON.parse(password.output).admin_password), 'no log has it')
  },
)

async function activeSince(
  rack: ContainerRack,
  on: RackMachine,
  units: readonly string[],
): Promise<number[]> {
  const names = units.map((name) => `${name}.service`)
  const said = await rack.inside(on, ['systemctl', 'show', '-P', 'ActiveEnterTimestampMonotonic', ...names])
  return said.trim().split(/\n+/).map(Number)
}

async function stateOf(rack: ContainerRack, on: RackMachine, unit: string): Promise<string> {
  return (await rack.inside(on, ['systemctl', 'show', '-P', 'ActiveState', `${unit}.service`])).trim()
}
