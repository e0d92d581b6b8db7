import { fuzzDhcp } from './dhcp.fuzz.ts'
import { FuzzFailure } from './fuzzing.ts'
import { fuzzHttp } from './http.fuzz.ts'
import { fuzzTftp } from './tftp.fuzz.ts'

/** `npm run fuzz -- NAME [--packets N] [--seed N]`: exit code 1 at the first packet or request that breaks a rule. */

const FUZZERS = {
  dhcp: {
    run: fuzzDhcp,
    unit: 'packets',
    otherwise: 1_000_000,
    tells: 'mutated DHCP messages through decode, decision, encode and decode again',
  },
  tftp: {
    run: fuzzTftp,
    unit: 'packets',
    otherwise: 1_000_000,
    tells: 'mutated packets, and time, to all of TFTP but its sockets: requests, transfers, one port',
  },
  http: {
    run: fuzzHttp,
    unit: 'requests',
    otherwise: 100_000,
    tells: 'hostile requests to the boot side and the operator side, over real connections on loopback',
  },
} as const

const TELL_EVERY_MS = 10_000

const USAGE = `usage: npm run fuzz -- NAME [--packets N | --requests N] [--seed N]

${Object.entries(FUZZERS)
  .map(
    ([name, { unit, otherwise, tells }]) =>
      `  ${name.padEnd(5)} ${tells}\n        (--${unit}, ${otherwise} without it)`,
  )
  .join('\n')}

  --seed N   the run of that seed again; without it another each time, and always printed
  --help     this

Exit code 0: no rule was broken; 1: one was, with what repeats it; 2: usage.
Example: npm run fuzz -- dhcp --packets 10000000 --seed 7`

const args = process.argv.slice(2)
const [name = ''] = args.filter((arg) => !arg.startsWith('--'))
if (args.includes('--help')) {
  console.log(USAGE)
  process.exit(0)
}
const fuzzer = Object.hasOwn(FUZZERS, name) ? FUZZERS[name as keyof typeof FUZZERS] : undefined
const count = fuzzer === undefined ? Number.NaN : numberAfter(`--${fuzzer.unit}`, fuzzer.otherwise)
const seed = numberAfter('--seed', Date.now() % 0x7fffffff)
if (fuzzer === undefined || Number.isNaN(count) || Number.isNaN(seed)) {
  console.error(USAGE)
  process.exit(2)
}
const { unit } = fuzzer
console.log(`${count} ${unit}, seed ${seed}`)
try {
  let toldAt = performance.now()
  const say = (line: string) => {
    if (performance.now() - toldAt < TELL_EVERY_MS) return
    toldAt = performance.now()
    console.log(line)
  }
  const result = await fuzzer.run({ seed, count, say })
  const most = [...result.ways].sort(([, a], [, b]) => b - a)
  for (const [way, times] of most) console.log(`${String(times).padStart(12)}  ${way}`)
  const rate = Math.round(result.tried / result.seconds)
  console.log(
    `${result.tried} ${unit}, ${result.replies} replies, no rule broken; ${result.seconds.toFixed(1)} s, ${rate}/s`,
  )
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error
  console.error(error.message)
  process.exitCode = 1
}

function numberAfter(flag: string, otherwise: number): number {
  const at = process.argv.indexOf(flag)
  if (at === -1) return otherwise
  const text = process.argv[at + 1] ?? ''
  return /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
}
