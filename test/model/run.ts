import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { play, scriptOf, shrink } from './play.ts'

/**
 * `npm run model -- --runs N [--seed S] [--workers W] [--seconds T]`: prints runs, states, violations; exit code 1 on
 * any. `--seconds` ends it early, and the line says how many runs it came to.
 */
interface Share {
  readonly from: number
  readonly to: number
  readonly seconds: number
}

interface Found {
  readonly seed: number
  readonly rule: string
  readonly message: string
  readonly trace: readonly string[]
}

const MOST_FOUND = 5
const MOST_LINES = 60
const FOR_EVER_SECONDS = 86_400

if (isMainThread) await main()
else work(workerData as Share)

async function main(): Promise<void> {
  const option = (name: string, otherwise: number) => {
    const at = process.argv.indexOf(`--${name}`)
    const value = at < 0 ? otherwise : Number(process.argv[at + 1])
    if (!Number.isInteger(value) || value < 0) {
      console.error(`--${name} wants a whole number, got ${process.argv[at + 1]}`)
      process.exit(2)
    }
    return value
  }
  const runs = option('runs', 100_000)
  const seed = option('seed', 1)
  const workers = Math.min(runs, Math.max(1, option('workers', availableParallelism())))
  const seconds = option('seconds', FOR_EVER_SECONDS)
  const startedAt = performance.now()
  const each = Math.ceil(runs / workers)
  const results = await Promise.all(
    Array.from({ length: workers }, (_, index) => {
      const from = seed + index * each
      return share({ from, to: Math.min(seed + runs, from + each), seconds })
    }),
  )
  const done = results.reduce((sum, result) => sum + result.runs, 0)
  const units = results.reduce((sum, result) => sum + result.units, 0)
  const found = results.flatMap((result) => result.found)
  const took = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage()
  const cpu = (user + system) / 1e6
  for (const violation of found) {
    console.log(`\nviolation ${violation.message}\nseed ${violation.seed}, the shortest way to it:`)
    for (const line of violation.trace.slice(0, MOST_LINES)) console.log(`  ${line}`)
  }
  console.log(
    `runs ${done}  states ${units}  violations ${found.length}  (${took.toFixed(1)} s, ${Math.round(done / cpu)} runs a CPU second, ${workers} workers)`,
  )
  process.exitCode = found.length === 0 ? 0 : 1
}

function share(data: Share): Promise<{ runs: number; units: number; found: readonly Found[] }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

function work({ from, to, seconds }: Share): void {
  const until = performance.now() + seconds * 1000
  const found: Found[] = []
  let units = 0
  let runs = 0
  for (let seed = from; seed < to && found.length < MOST_FOUND && performance.now() < until; seed += 1) {
    const script = scriptOf(seed)
    const outcome = play(script, false)
    runs += 1
    units += outcome.units
    if (outcome.violation === undefined) continue
    const { rule } = outcome.violation
    const shortest = play(shrink(script, rule), true)
    const message = shortest.violation?.message ?? outcome.violation.message
    found.push({ seed, rule, message, trace: shortest.trace })
  }
  parentPort?.postMessage({ runs, units, found })
}
