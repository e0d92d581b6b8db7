import { setTimeout } from 'node:timers/promises'
import type { Rack, RackMachine } from './rack.ts'

/** A boot attempt as the API shows it. */
export interface BootView {
  readonly boot_id: string
  readonly stage: string
  readonly started_at: string
  readonly stages: readonly {
    readonly stage: string
    readonly after_ms: number
    readonly bytes: number
    readonly retries: number
  }[]
  readonly steps: readonly { readonly step: string; readonly state: string; readonly reason: string }[]
}

/** Where one machine is, for whoever watches. */
export interface MachineView {
  readonly machine: RackMachine
  readonly state: string
  readonly boot?: BootView
  /** Seconds since its power was switched on. */
  readonly seconds: number
  readonly failure?: string
}

/** One call of the operator's API. */
export type ApiCall = <Answer>(method: string, route: string, body?: unknown) => Promise<Answer>

export interface RunOptions {
  readonly rack: Rack
  readonly call: ApiCall
  readonly clusterName: string
  readonly timeoutMs: number
  readonly onProgress: (views: readonly MachineView[]) => void
  readonly signal: AbortSignal
  /** Ends the run as soon as one machine cannot become ready, also one whose step failed again and again. */
  readonly stopsAtFailure?: boolean
}

export interface RunResult {
  readonly views: readonly MachineView[]
  readonly isReady: boolean
  readonly readyCount: number
}

const POLL_MS = 500
const ARMED_SECONDS = 1800
const FAILED_TRIES = 3

/** Registers a cluster of the rack's machines, arms them, switches them on, and watches until all are ready. */
export async function runRack(options: RunOptions): Promise<RunResult> {
  const { rack, signal } = options
  await registerRack(rack, options.call, options.clusterName)
  const startedAt = Date.now()
  const failures = new Map<string, string>()
  for (const machine of rack.machines) {
    const powered = await rack.powerOn(machine)
    powered.ended.catch((error: Error) => failures.set(machine.name, error.message))
  }
  for (;;) {
    const views = await look(options, startedAt, failures)
    if (options.stopsAtFailure === true) noteFailedSteps(views, failures)
    options.onProgress(views)
    const readyCount = views.filter((view) => view.state === 'ready').length
    const isReady = readyCount === rack.machines.length
    const isStuck =
      views.every((view) => view.state === 'ready' || view.failure !== undefined) ||
      (options.stopsAtFailure === true && failures.size > 0)
    if (isReady || isStuck || signal.aborted || Date.now() - startedAt > options.timeoutMs) {
      return { views, isReady, readyCount }
    }
    await pause(signal)
    // Whoever stops it is not told a moment later that it succeeded.
    if (signal.aborted) return { views, isReady, readyCount }
  }
}

/** Until it is time to look again, or nobody wants to any more. */
async function pause(signal: AbortSignal): Promise<void> {
  await setTimeout(POLL_MS, undefined, { signal }).catch(() => undefined)
}

/** systemd tries a step again every 10 s; one that failed three times does not heal by itself. */
function noteFailedSteps(views: readonly MachineView[], failures: Map<string, string>): void {
  for (const { machine, boot } of views) {
    const failed = boot?.steps.find((step) => step.state === 'failed')
    const retries = boot?.stages.find((stage) => stage.stage === failed?.step)?.retries ?? 0
    if (failed === undefined || retries < FAILED_TRIES - 1) continue
    failures.set(machine.name, `${failed.step} failed ${FAILED_TRIES} times: ${failed.reason}`)
  }
}

/** Registers image, cluster and machines of a rack, and arms them. */
export async function registerRack(rack: Rack, call: ApiCall, clusterName: string): Promise<void> {
  const image = await call<{ id: string }>('POST', '/images', {
    path: rack.imageDirectory,
    name: clusterName,
  })
  await call('POST', '/clusters', {
    name: clusterName,
    expected_control_plane: rack.machines.filter(({ role }) => role !== 'worker').length,
    state_kind: 'ephemeral',
    ...(rack.caPem === undefined ? {} : { health_ca: rack.caPem }),
  })
  for (const machine of rack.machines) {
    await call('POST', '/machines', {
      name: machine.name,
      macs: [machine.mac],
      role: machine.role ?? 'control-plane',
      cluster: clusterName,
      image: image.id,
      address: machine.address,
      ...(machine.loader === undefined ? {} : { loader: machine.loader }),
    })
  }
  const armed = await call<{ refused: { name: string; detail: string }[] }>(
    'POST',
    `/clusters/${clusterName}/arm`,
    {
      for_seconds: ARMED_SECONDS,
    },
  )
  const [refused] = armed.refused
  if (refused !== undefined) throw new Error(`${refused.name} could not be armed: ${refused.detail}`)
}

async function look(
  { rack, call }: RunOptions,
  startedAt: number,
  failures: ReadonlyMap<string, string>,
): Promise<readonly MachineView[]> {
  const seconds = (Date.now() - startedAt) / 1000
  return Promise.all(
    rack.machines.map(async (machine) => {
      const { state } = await call<{ state: string }>('GET', `/machines/${machine.name}`)
      const { items } = await call<{ items: BootView[] }>('GET', `/machines/${machine.name}/boots`)
      const [boot] = items
      const failure = failures.get(machine.name)
      const readyAfter = boot?.stages.find((stage) => stage.stage === 'ready')?.after_ms
      const started = boot === undefined ? startedAt : Date.parse(boot.started_at)
      return {
        machine,
        state,
        seconds: readyAfter === undefined ? seconds : (started - startedAt + readyAfter) / 1000,
        ...(boot === undefined ? {} : { boot }),
        ...(failure === undefined ? {} : { failure }),
      }
    }),
  )
}
