import t from 'tap'
import type { RackMachine } from '../../src/rack/rack.ts'
import { registerRack } from '../../src/rack/rack-run.ts'
import {
  containerMachine,
  noContainers,
  type ServedContainers,
  serveContainers,
} from '../support/served-containers.ts'

// The machine that founds a cluster dies and loses its data: in the midst of founding, and after it. Real systemd, units and
// scripts; the stand-ins for Chainfire and FlareDB elect a new leader.

const MACHINES: readonly RackMachine[] = [1, 2, 3].map((number) => containerMachine(number, '7a'))
const [FIRST, SECOND, THIRD] = MACHINES as [RackMachine, RackMachine, RackMachine]

interface Boot {
  readonly boot_id: string
  readonly steps: readonly {
    readonly step: string
    readonly state: string
    readonly started_at: string | null
  }[]
}

interface Cluster {
  readonly founding: { readonly state: string; readonly epoch: number }
  readonly probe: { readonly leader_url: string | null; readonly flaredb_leader_url: string | null }
  readonly members: readonly {
    readonly service: string
    readonly member_id: string
    readonly state: string
  }[]
}

t.test(
  'a founder that dies and is wiped: before it founded another founds after a call, afterwards it comes back without one',
  { skip: noContainers, timeout: 600_000 },
  async (t) => {
    const hall = await serveContainers(t, MACHINES)
    await diesInTheMidst(t, hall)
    await diesAfterwards(t, hall)
  },
)

async function diesInTheMidst(t: Test, hall: ServedContainers): Promise<void> {
  const { api, rack, until, powerOn } = hall
  const namesAndFacts = async (type: string) => (await hall.events(type)).map(({ data }) => data)
  await registerRack(rack, api, 'hall')
  // Voters join as learners, and are promoted when they are healthy members.
  const promote = '/cluster/members/{id}/promote'
  await api('PATCH', '/clusters/hall', { services_api: { chainfire: { promote }, flaredb: { promote } } })
  // It has its configuration, which says that it founds, and stands at its gate.
  await api('POST', `/machines/${FIRST.name}/hold`, { step: 'chainfire-cluster-join' })
  const doomed = await powerOn(FIRST)
  const isAtGate = async (machine: RackMachine) =>
    (await lastBoot(hall, machine))?.steps.some(
      ({ step, started_at }) => step === 'chainfire-cluster-join' && started_at !== null,
    ) === true
  await until('the founder is at its gate', () => isAtGate(FIRST))
  t.match(await namesAndFacts('config.redeemed'), [{ name: FIRST.name, bootstrap: true }])
  await doomed.powerOff()

  // Nobody else founds by himself.
  const other = await powerOn(SECOND)
  await until('the other is at its gate', () => isAtGate(SECOND))
  t.strictSame(await namesAndFacts('cluster.founded'), [], 'and nobody has founded')
  await other.powerOff()

  await api('POST', '/clusters/hall/founding/move', { to: SECOND.name, holder_is_off: true })
  await api('POST', `/machines/${THIRD.name}/arm`, {})
  for (const machine of [SECOND, THIRD]) await powerOn(machine)
  await until('the second has founded', async () => (await hall.events('cluster.founded')).length > 0)

  // The one that died, blank: it is fenced until the operator says otherwise, and then joins.
  await api('POST', `/machines/${FIRST.name}/release`, {})
  await api('POST', `/machines/${FIRST.name}/arm`, {})
  await powerOn(FIRST)
  await until('all three are ready', () => areReady(hall))

  t.equal((await hall.events('cluster.founded')).length, 1, 'founded once')
  const given = await namesAndFacts('config.redeemed')
  t.strictSame(
    given.filter(({ bootstrap }) => bootstrap === true).map(({ name }) => name),
    [FIRST.name, SECOND.name],
    'one bootstrap an epoch: the dead one’s, and the one after the move',
  )
  const config = await configOf(hall, FIRST)
  t.equal(config.bootstrap, false)
  const opened = (await namesAndFacts('gate.opened')).filter(({ step }) => step === 'chainfire-cluster-join')
  t.strictSame(opened.map(({ name, action }) => [name, action]).sort(), [
    [FIRST.name, 'join'],
    [SECOND.name, 'found'],
    [THIRD.name, 'join'],
  ])
  const members = await listedAt(hall, SECOND)
  t.equal(members.length, 3)
  t.ok(
    members.every(({ voter }) => voter),
    'all promoted',
  )
  t.ok(config.bootstrap_epoch > 1, 'the dead one’s epoch is over')
  t.equal(
    await rack.inside(FIRST, ['cat', '/var/lib/chainfire/.pilotlight-marker']),
    `${config.cluster_id}:${config.bootstrap_epoch}:${config.member_id}`,
  )
}

/** F9, S11, S12: the members elect another leader, and the founder's stale member is taken out before its new one joins. */
async function diesAfterwards(t: Test, hall: ServedContainers): Promise<void> {
  const { api, rack, until, powerOn } = hall
  const startedAt = Date.now()
  const { founding } = await api<Cluster>('GET', '/clusters/hall')
  const before = await configOf(hall, SECOND)
  const bootBefore = (await lastBoot(hall, SECOND))?.boot_id
  const lastSeq =
    (await api<{ items: { seq: number }[] }>('GET', '/events?limit=1000')).items.at(-1)?.seq ?? 0
  // Leaders are missed within seconds, not in the time that software emulation needs.
  for (const machine of MACHINES) await rack.inside(machine, ['sh', '-c', 'echo 2 8 >/run/stand-in-pace'])
  await rack.powerOff(SECOND)

  const leads = (url: string | null) => url !== null && !url.includes(`//${SECOND.address}:`)
  await until('the server sees other leaders', async () => {
    const { probe } = await api<Cluster>('GET', '/clusters/hall')
    return leads(probe.leader_url) && leads(probe.flaredb_leader_url)
  })
  t.comment(`other leaders seen after ${(Date.now() - startedAt) / 1000} s`)
  await t.rejects(
    api('POST', `/machines/${FIRST.name}/reprovision`, {}),
    { message: /quorum|voters/ },
    'the guard lets nobody take a second one down',
  )

  // No operator says anything: it is switched on, and is the machine that it was.
  await powerOn(SECOND)
  await until('it is ready again', async () => {
    const boot = await lastBoot(hall, SECOND)
    const isThrough = boot?.steps.some(
      ({ step, state }) => step === 'cluster-health-check' && state === 'succeeded',
    )
    return boot?.boot_id !== bootBefore && isThrough === true && (await areReady(hall))
  })
  t.comment(`back after ${(Date.now() - startedAt) / 1000} s`)
  const since = async (type: string) =>
    (await hall.events(type)).filter(({ seq }) => seq > lastSeq).map(({ data }) => data)
  t.match(await since('config.redeemed'), [{ name: SECOND.name, bootstrap: false }])
  t.strictSame(await since('cluster.founded'), [])
  for (const type of ['cluster.removal-begun', 'cluster.member-removed']) {
    t.strictSame(
      (await since(type)).map(({ service, member_id }) => [service, member_id]).sort(),
      [
        ['chainfire', before.member_id],
        ['flaredb', before.member_id],
      ],
      `${type}: its stale members, one a group`,
    )
  }
  t.ok(
    (await since('cluster.removal-begun')).every(({ forced }) => forced === false),
    'under the guard',
  )
  const opened = (await since('gate.opened')).filter(({ step }) => step !== 'iam-initial-setup')
  t.strictSame(
    opened.map(({ name, step, action }) => [name, step, action]),
    [
      [SECOND.name, 'chainfire-cluster-join', 'join'],
      [SECOND.name, 'flaredb-cluster-join', 'join'],
    ],
  )
  const now = await configOf(hall, SECOND)
  t.equal(now.bootstrap, false)
  t.equal(now.bootstrap_epoch, founding.epoch, 'in the epoch that it founded itself')
  t.not(now.member_id, before.member_id, 'fresh data, a fresh member')
  const afterwards = await listedAt(hall, THIRD)
  t.ok(
    afterwards.every(({ voter }) => voter),
    'it too',
  )
  const listed = afterwards.map(({ id }) => id)
  t.equal(listed.length, 3)
  t.ok(listed.includes(now.member_id))
  t.notOk(listed.includes(before.member_id))
  t.match(await api<Cluster>('GET', '/clusters/hall'), {
    founding: { state: 'founded', epoch: founding.epoch },
  })
}

type Test = Parameters<typeof serveContainers>[0]

async function lastBoot({ api }: ServedContainers, machine: RackMachine): Promise<Boot | undefined> {
  return (await api<{ items: Boot[] }>('GET', `/machines/${machine.name}/boots`)).items[0]
}

async function areReady({ api }: ServedContainers): Promise<boolean> {
  const states = await Promise.all(
    MACHINES.map(({ name }) => api<{ state: string }>('GET', `/machines/${name}`)),
  )
  return states.every(({ state }) => state === 'ready')
}

async function configOf({ rack }: ServedContainers, machine: RackMachine) {
  const text = await rack.inside(machine, ['cat', '/etc/pilotlight/cluster-config.json'])
  return JSON.parse(text) as {
    readonly bootstrap: boolean
    readonly bootstrap_epoch: number
    readonly cluster_id: string
    readonly member_id: string
  }
}

/** Chainfire's members, as a machine tells them. */
async function listedAt(
  { rack }: ServedContainers,
  machine: RackMachine,
): Promise<readonly { id: string; voter: boolean }[]> {
  const ask = 'curl -sS --cacert /opt/stand-ins/ca.pem https://localhost:2379/cluster/members'
  return JSON.parse(await rack.inside(machine, ['sh', '-c', ask])).members
}
