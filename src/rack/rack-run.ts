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
}

export interface RunResult {
  readonly views: readonly MachineView[]
  readonly isReady: boolean
  readonly readyCount: number
}

const POLL_MS = 500
const ARMED_SECONDS = 1800

/** Registers a cluster of the rack's machines, arms them, switches them on, and watches until all are ready. */
export async function runRack(options: RunOptions): Promise<RunResult> {
  await register(options)
  const { rack, signal } = options
  const startedAt = Date.now()
  const failures = new Map<string, string>()
  for (const machine of rack.machines) {
    const powered = await rack.powerOn(machine)
    powered.ended.catch((error: Error) => failures.set(machine.name, error.message))
  }
  for (;;) {
    const views = await look(options, startedAt, failures)
    options.onProgress(views)
    const readyCount = views.filter((view) => view.state === 'ready').length
    const isReady = readyCount === rack.machines.length
    const isStuck = views.every((view) => view.state === 'ready' || view.failure !== undefined)
    if (isReady || isStuck || signal.aborted || Date.now() - startedAt > options.timeoutMs) {
      return { views, isReady, readyCount }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function register({ rack, call, clusterName }: RunOptions): Promise<void> {
  const image = await call<{ id: string }>('POST', '/images', {
    directory: rack.imageDirectory,
    name: 'demo',
  })
  await call('POST', '/clusters', {
    name: clusterName,
    expected_control_plane: rack.machines.length,
    state_kind: 'ephemeral',
    health_ca: rack.caPem,
  })
  for (const machine of rack.machines) {
    await call('POST', '/machines', {
      name: machine.name,
      macs: [machine.mac],
      role: 'control-plane',
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
