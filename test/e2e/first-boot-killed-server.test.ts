import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { call } from '../../src/cli/api-client.ts'
import type { BootAnswer } from '../../src/cli/boot-answer.ts'
import { chooseDemoMode } from '../../src/cli/demo-mode.ts'
import type { ClusterDiagnosisAnswer } from '../../src/cli/print-diagnosis.ts'
import { type ChildServer, startChildServer } from '../../src/rack/child-server.ts'
import { makeQemuRack, qemuMachine } from '../../src/rack/qemu-rack.ts'
import type { Rack } from '../../src/rack/rack.ts'
import { registerRack } from '../../src/rack/rack-run.ts'
import { DEBIAN_IPXE_DIR } from '../../src/servers/files/install-loaders.ts'

// Three machines with real systemd on one link. The server is killed with -9 and started again while they are in first
// boot, once in each of the steps; what it knew must be there, and nothing may happen twice.

const ROOT = new URL('../..', import.meta.url).pathname
const STEPS = ['chainfire-cluster-join', 'flaredb-cluster-join', 'iam-initial-setup', 'cluster-health-check']
const READY = 'this node is ready'
const { mode, why } = chooseDemoMode(false)
const skip = mode === 'qemu' ? false : `not possible here: ${why}`

interface Event {
  readonly type: string
  readonly data: Readonly<Record<string, string | number | boolean | null>>
}

t.test(
  'first boot with real systemd, under a server that is killed in every step',
  { skip, timeout: 590_000 },
  async (t) => {
    const workDir = await mkdtemp(path.join(os.tmpdir(), 'pilotlight-first-boot-e2e-'))
    const stop = new AbortController()
    const machines = [1, 2, 3].map((number) => qemuMachine(number, 'bios', 'BIOS, iPXE ROM'))
    let rack: Rack | undefined
    let server: ChildServer | undefined
    t.teardown(async () => {
      stop.abort()
      await rack?.close()
      await server?.stop()
      await rm(workDir, { recursive: true, force: true })
    })
    rack = await makeQemuRack({
      workDir,
      programDir: ROOT,
      say: (line) => t.comment(line),
      signal: stop.signal,
      machines,
    })
    server = await startChildServer({
      rack,
      workDir,
      startScript: path.join(ROOT, 'src', 'start.js'),
      loadersFrom: DEBIAN_IPXE_DIR,
    })
    const running = server
    const api = <Answer>(method: string, route: string, body?: unknown) =>
      call<Answer>(method, route, body, { url: running.url, token: running.token })
    await registerRack(rack, api, 'prod')
    for (const machine of rack.machines) {
      const { ended } = await rack.powerOn(machine)
      // The rack's end is its end.
      ended.catch(() => undefined)
    }

    const killedIn = new Set<string>()
    for (;;) {
      const states = await Promise.all(
        machines.map(({ name }) => api<{ state: string }>('GET', `/machines/${name}`)),
      )
      if (states.every(({ state }) => state === 'ready')) break
      const boots = await latestBoots(api, machines)
      const step = boots
        .flatMap((boot) => boot.steps)
        .find(({ step, state }) => state === 'started' && !killedIn.has(step))?.step
      if (step === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 300))
        continue
      }
      const before = await latestBoots(api, machines)
      await running.killAndRestart()
      killedIn.add(step)
      compare(t, before, await latestBoots(api, machines), step)
    }
    t.ok(killedIn.size >= 3, `killed in ${[...killedIn].join(', ')}`)

    const { items: events } = await api<{ items: Event[] }>('GET', '/events?limit=500')
    const of = (type: string) => events.filter((event) => event.type === type)
    t.equal(of('cluster.founding-granted').length, 1, 'the founder is chosen once')
    t.equal(of('cluster.founded').length, 1)
    t.equal(of('config.redeemed').filter(({ data }) => data.bootstrap === true).length, 1, 'one bootstrap')
    t.equal(of('config.redeemed').length, 3, 'each configuration is given once')
    t.equal(of('cluster.ready').length, 1)
    for (const { name } of machines)
      for (const step of STEPS)
        t.equal(
          of('step.succeeded').filter(({ data }) => data.name === name && data.step === step).length,
          1,
          `${name} ${step} succeeds once`,
        )
    for (const step of STEPS.slice(0, 2)) {
      const opened = of('gate.opened').filter(({ data }) => data.step === step)
      t.strictSame(
        opened.map(({ data }) => data.slot_no),
        [1, 2, 3],
        `${step}: one slot after the other, none twice`,
      )
      t.strictSame(
        opened.map(({ data }) => data.action),
        ['found', 'join', 'join'],
      )
      checkOneByOne(t, events, step)
    }
    for (const boot of await latestBoots(api, machines)) {
      const ends = boot.steps.map(({ after_ms, took_ms }) => (after_ms ?? 0) + (took_ms ?? 0))
      t.strictSame(
        ends,
        [...ends].sort((a, b) => a - b),
        'the steps end in the seed’s order',
      )
      const serial = boot.stages.find(({ stage }) => stage === 'initrd-sent')
      t.ok((serial?.bytes ?? 0) > 10_000_000, 'a whole initrd')
    }
    const diagnosis = await api<ClusterDiagnosisAnswer>('GET', '/clusters/prod/diagnosis')
    t.strictSame(diagnosis.drift, [], 'nodes run what they were given')
    for (const machine of diagnosis.machines) {
      t.equal(machine.standing, 'ready')
      t.ok(Math.abs(machine.clock_skew_ms ?? Number.NaN) < 10_000, 'its clock was measured')
    }
    // The server knows it first: when the answer to the last report was lost with it, the node asks again before it is sure.
    const serial = () => readFileSync(rack.logOf(machines[0]!), 'utf8')
    for (let tries = 0; tries < 120 && !serial().includes(READY); tries += 1) await wait(500)
    t.match(serial(), READY)
  },
)

type Api = <Answer>(method: string, route: string, body?: unknown) => Promise<Answer>

async function latestBoots(api: Api, machines: readonly { name: string }[]): Promise<BootAnswer[]> {
  const lists = await Promise.all(
    machines.map(({ name }) => api<{ items: BootAnswer[] }>('GET', `/machines/${name}/boots`)),
  )
  return lists.flatMap(({ items }) => items.slice(0, 1))
}

/** What was acknowledged before the kill is there after it: the same boots, no stage lost, no step moved back. */
function compare(t: Test, before: readonly BootAnswer[], after: readonly BootAnswer[], where: string): void {
  t.strictSame(
    after.map(({ boot_id }) => boot_id),
    before.map(({ boot_id }) => boot_id),
    `${where}: the same boots`,
  )
  for (const [index, boot] of before.entries()) {
    const now = after[index]?.steps ?? []
    const lost = boot.steps.filter(
      ({ step, state }) =>
        state === 'succeeded' && now.find((one) => one.step === step)?.state !== 'succeeded',
    )
    t.strictSame(lost, [], `${where}: no step is lost`)
  }
}

/** A gate opens for the next machine only when the one before has succeeded. */
function checkOneByOne(t: Test, events: readonly Event[], step: string): void {
  let inside = 0
  for (const { type } of events.filter((event) => event.data.step === step)) {
    if (type === 'gate.opened') inside += 1
    if (type === 'step.succeeded') inside -= 1
    t.ok(inside <= 1, `${step}: ${inside} at a time`)
  }
}
