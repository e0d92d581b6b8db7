import { BenchLink } from './dhcp/bench-link.ts'
import { measureMemory } from './dhcp/memory.ts'
import { highestRate, PERFDHCP_CLIENTS, PERFDHCP_FIRST_CLIENT } from './dhcp/perfdhcp.ts'
import { type BenchServer, DNSMASQ, kea, LEAST, pilotlight, withServer } from './dhcp/servers.ts'
import { atLeast, atMost, type BenchOptions, type BenchResult, median, type Row } from './report.ts'

const MANY = 50_000
const FEW = 1000
const OUTSTANDING = 64
const from = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index)

/**
 * DHCP against dnsmasq and Kea, and the least that a Node program can do: exchanges per second, their times, 1,000 clients in one instant, and flat memory.
 *
 * `--rounds N` (3), `--only=closed,burst,perfdhcp,memory`.
 */
export async function bench({ say, args }: BenchOptions): Promise<BenchResult> {
  const rounds = Number(args[args.indexOf('--rounds') + 1]) || 3
  const only = args
    .find((arg) => arg.startsWith('--only='))
    ?.slice('--only='.length)
    .split(',')
  const wanted = (part: string) => only === undefined || only.includes(part)
  const figures = new Figures()
  const link = new BenchLink()
  try {
    for (let round = 1; round <= rounds; round += 1) {
      if (wanted('closed')) await closedLoop(link, figures, (line) => say(`round ${round}: ${line}`))
      if (wanted('burst')) await burst(link, figures, (line) => say(`round ${round}: ${line}`))
      if (wanted('perfdhcp')) await perfdhcp(link, figures, (line) => say(`round ${round}: ${line}`))
    }
    if (wanted('memory')) await memory(link, figures, say)
  } finally {
    await link.close()
  }
  return { rows: figures.rows(), targets: targetsOf(figures) }
}

const ALL_WORK = `dora, 64 outstanding, ${MANY} clients`
const FEW_WORK = `dora, 64 outstanding, ${FEW} leases`
const BURST_WORK = '1,000 clients in one instant'

async function closedLoop(link: BenchLink, figures: Figures, say: (line: string) => void): Promise<void> {
  const own = pilotlight({ clients: from(0, MANY) })
  const runs: readonly (readonly [work: string, server: BenchServer, exchanges: number, clients: number])[] =
    [
      [ALL_WORK, own, MANY, MANY],
      [ALL_WORK, kea(0), MANY, MANY],
      [ALL_WORK, kea(2), MANY, MANY],
      [ALL_WORK, LEAST, MANY, MANY],
      [FEW_WORK, own, 20_000, FEW],
      [FEW_WORK, kea(0), 20_000, FEW],
      [FEW_WORK, kea(2), 20_000, FEW],
      [FEW_WORK, DNSMASQ, 2000, FEW],
    ]
  for (const [work, server, exchanges, clients] of runs) {
    const wish = { mode: 'closed', exchanges, clients, outstanding: OUTSTANDING, firstClient: 0 } as const
    const result = await withServer(link.namespaces, link.serverSide, server, async (program) => {
      // The first leases of a fresh server are no part of it where the work is a hall that is known.
      if (clients === FEW) await link.load(program, { ...wish, exchanges: FEW })
      return link.load(program, wish)
    })
    const rate = result.exchanges / result.seconds
    figures.add(work, server.name, rate, 'DORA/s')
    figures.add(`${work}, p50`, server.name, result.p50Ms, 'ms')
    figures.add(`${work}, p99`, server.name, result.p99Ms, 'ms')
    figures.add(`${work}, CPU`, server.name, result.cpuMicrosPerExchange, 'us/DORA')
    say(
      `${work}, ${server.name}: ${Math.round(rate)} DORA/s, p99 ${result.p99Ms.toFixed(1)} ms, ` +
        `${result.addresses} addresses, none twice, ${result.resends} resends, ${result.naks} NAKs`,
    )
  }
}

async function burst(link: BenchLink, figures: Figures, say: (line: string) => void): Promise<void> {
  for (const server of [pilotlight({ clients: from(0, FEW) }), kea(0), kea(2), DNSMASQ]) {
    const wish = { mode: 'burst', exchanges: FEW, clients: FEW, outstanding: FEW, firstClient: 0 } as const
    const result = await withServer(link.namespaces, link.serverSide, server, async (program) => {
      // Programs warm up on other machines: a hall is switched on beside a server that runs.
      await link.load(program, { ...wish, mode: 'closed', outstanding: 8, exchanges: 200, clients: 200 })
      return link.load(program, wish)
    })
    figures.add(BURST_WORK, server.name, result.seconds, 's')
    say(`${BURST_WORK}, ${server.name}: ${result.seconds.toFixed(3)} s, ${result.resends} resends`)
  }
}

async function perfdhcp(link: BenchLink, figures: Figures, say: (line: string) => void): Promise<void> {
  const own = pilotlight({ clients: from(PERFDHCP_FIRST_CLIENT, PERFDHCP_CLIENTS) })
  for (const [server, upTo] of [
    [own, 12_000],
    [kea(2), 12_000],
    [DNSMASQ, 3000],
  ] as const) {
    const rate = await withServer(link.namespaces, link.serverSide, server, () => highestRate(link, upTo))
    figures.add('perfdhcp, loss under 1%', server.name, rate, 'DORA/s')
    say(`perfdhcp, ${server.name}: ${rate} DORA/s`)
  }
}

async function memory(link: BenchLink, figures: Figures, say: (line: string) => void): Promise<void> {
  for (const { exchanges, rssMiB } of await measureMemory(link, say)) {
    figures.add(`resident after ${exchanges} exchanges, 100,000 MACs`, 'pilotlight', rssMiB, 'MiB')
  }
}

function targetsOf(figures: Figures) {
  const of = (work: string, server: string) => figures.value(work, server)
  const bestKea = (work: string) => Math.max(of(work, 'kea, threads off'), of(work, 'kea, 2 threads'))
  const leastKea = (work: string) => Math.min(of(work, 'kea, threads off'), of(work, 'kea, 2 threads'))
  const small = of('resident after 200000 exchanges, 100,000 MACs', 'pilotlight')
  const large = of('resident after 1000000 exchanges, 100,000 MACs', 'pilotlight')
  const targets = [
    atLeast("DORA/s, of Kea's better mode", of(ALL_WORK, 'pilotlight') / bestKea(ALL_WORK), 1.5),
    atMost(
      `p99, of Kea's better mode`,
      of(`${ALL_WORK}, p99`, 'pilotlight') / leastKea(`${ALL_WORK}, p99`),
      1,
    ),
    atLeast('DORA/s at 1,000 leases, of dnsmasq', of(FEW_WORK, 'pilotlight') / of(FEW_WORK, 'dnsmasq'), 10),
    atMost('1,000 clients in one instant, s', of(BURST_WORK, 'pilotlight'), 0.25),
    atMost('memory, 1,000,000 against 200,000 exchanges, MiB', Math.abs(large - small), 10),
  ]
  // Parts that were left out by --only have no figures.
  return targets.filter(({ got }) => !Number.isNaN(got))
}

/** Figures of all rounds, by work and server, in the order in which they first came. */
class Figures {
  readonly #values = new Map<
    string,
    { readonly work: string; server: string; unit: string; values: number[] }
  >()

  add(work: string, server: string, value: number, unit: string): void {
    const key = `${work}|${server}`
    const entry = this.#values.get(key) ?? { work, server, unit, values: [] }
    entry.values.push(value)
    this.#values.set(key, entry)
  }

  value(work: string, server: string): number {
    return median(this.#values.get(`${work}|${server}`)?.values ?? [])
  }

  rows(): readonly Row[] {
    return [...this.#values.values()].map(({ work, server, unit, values }) => ({
      work,
      server,
      value: median(values),
      unit,
    }))
  }
}
