import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import { FIRST_BOOT_STEPS } from '../../src/model/first-boot.ts'
import { serviceByName } from '../../src/model/services.ts'
import { demoImage } from '../../src/rack/demo-image.ts'
import { DEMO_MACHINES } from '../../src/rack/qemu-rack.ts'
import { aFirmwareMachine } from '../support/firmware-machine.ts'
import { FirmwareRack } from '../support/firmware-rack.ts'
import { startLeasingDnsmasq } from '../support/leasing-dnsmasq.ts'

// Proxy mode to its end: dnsmasq leases, we boot. A BIOS machine founds its cluster and becomes ready; a UEFI machine joins
// it with a service that never starts. Real firmware, kernel and systemd; the cluster's services are stand-ins.

const ROOT = new URL('../..', import.meta.url).pathname
const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

const YAML = `interface: eth0
dhcp: { mode: proxy }
subnets: [{ cidr: 10.77.0.0/24 }]
stall: { cluster_health_check_seconds: 5 }
`
const FOUNDER = aFirmwareMachine(1, 'bios', { address: '10.77.0.11', memoryMiB: 512 })
/** Its address is stated nowhere in our records: what dnsmasq gives it is its own. */
const WORKER = aFirmwareMachine(2, 'uefi', { memoryMiB: 512 })
const WORKER_ADDRESS = '10.77.0.12'
const NEVER_STARTED = 'fiberlb'

interface Diagnosis {
  readonly standing: string
  readonly stage: string
  readonly findings: readonly {
    readonly code: string
    readonly evidence: string
    readonly impact: readonly string[]
    readonly mitigation: readonly string[]
  }[]
}

t.test(
  'where dnsmasq leases, a machine boots to ready, and one whose service never starts is rightly diagnosed',
  { skip, timeout: 500_000 },
  async (t) => {
    const signal = AbortSignal.timeout(400_000)
    const addresses = DEMO_MACHINES.map(({ address }) => address)
    const image = await demoImage({ programDir: ROOT, addresses, say: (line) => t.comment(line), signal })
    const rack = await FirmwareRack.start({ yaml: YAML })
    t.teardown(() => rack.close())
    await startLeasingDnsmasq(rack, rack.addHost('other', '10.77.0.2/24'), {
      [FOUNDER.mac]: FOUNDER.address ?? '',
      [WORKER.mac]: WORKER_ADDRESS,
    })
    await rack.capture('machines')
    const until = async (what: string, holds: () => Promise<boolean>) => {
      while (!(await holds())) await setTimeout(500, undefined, { signal })
      t.comment(`${what} after ${Math.round((Date.now() - startedAt) / 1000)} s`)
    }
    const { id } = await rack.post<{ id: string }>('/images', { path: image.directory, name: 'demo' })
    await rack.post('/clusters', {
      name: 'hall',
      expected_control_plane: 1,
      state_kind: 'ephemeral',
      health_ca: image.caPem,
      services: { worker: ['chainfire', 'flaredb', NEVER_STARTED] },
    })
    const all = { cluster: 'hall', image: id }
    await rack.register(FOUNDER, { ...all, role: 'control-plane' })
    await rack.register(WORKER, { ...all, kernel_arguments: [`systemd.mask=${NEVER_STARTED}.service`] })
    const armed = await rack.post<{ armed: string[]; refused: object[] }>('/clusters/hall/arm')
    t.match(armed, { armed: [FOUNDER.name, WORKER.name], refused: [] })
    const startedAt = Date.now()
    for (const machine of [FOUNDER, WORKER]) rack.powerOn(machine)

    const diagnosisOf = (name: string) => rack.get<Diagnosis>(`/machines/${name}/diagnosis`)
    await until(`${FOUNDER.name} is ready`, async () => {
      return (await rack.get<{ state: string }>(`/machines/${FOUNDER.name}`)).state === 'ready'
    })
    const [boot] = await rack.boots(FOUNDER.name)
    t.strictSame(
      boot?.steps.map(({ step, state }) => [step, state]),
      FIRST_BOOT_STEPS.map((step) => [step, 'succeeded']),
    )
    t.equal((await rack.get<{ ready: boolean }>('/clusters/hall')).ready, true, 'and its cluster with it')

    await until(`${WORKER.name} is stalled`, async () => {
      const { stage, standing } = await diagnosisOf(WORKER.name)
      return stage === 'cluster-health-check' && standing === 'stalled'
    })
    const { findings } = await diagnosisOf(WORKER.name)
    const ill = findings.filter(({ code }) => code === 'service-unhealthy')
    const { impact, mitigation } = serviceByName(NEVER_STARTED)
    t.equal(ill.length, 1, JSON.stringify(findings))
    t.match(
      ill[0]?.evidence,
      new RegExp(`^${NEVER_STARTED} on ${WORKER_ADDRESS} is not healthy; asked .*refused`),
    )
    t.strictSame(
      ill[0]?.impact,
      impact.map(({ what }) => what),
    )
    t.strictSame(ill[0]?.mitigation, mitigation)
    const [joined] = await rack.boots(WORKER.name)
    t.strictSame(
      joined?.steps.filter(({ state }) => state === 'succeeded').map(({ step }) => step),
      FIRST_BOOT_STEPS.slice(0, 3),
      'all before the check it has behind it',
    )

    const messages = await rack.captured('machines')
    const ours = messages.filter(({ from }) => from.startsWith('10.77.0.1:'))
    t.ok(ours.length > 0)
    t.strictSame([...new Set(ours.map(({ yiaddr }) => yiaddr))], ['0.0.0.0'], 'we lease no address')
    for (const address of [FOUNDER.address, WORKER_ADDRESS]) {
      t.ok(
        messages.some(
          ({ from, type, yiaddr }) => from === '10.77.0.2:67' && type === 5 && yiaddr === address,
        ),
      )
    }
  },
)
