import { FuzzFailure, fuzzDhcp } from './dhcp.fuzz.ts'

/** `npm run fuzz -- dhcp [--packets N] [--seed N]`: exit code 1 at the first packet that breaks a rule. */

const FUZZERS = { dhcp: fuzzDhcp }
const [name = ''] = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const packets = numberAfter('--packets', 1_000_000)
const seed = numberAfter('--seed', Date.now() % 0x7fffffff)
const fuzz = Object.hasOwn(FUZZERS, name) ? FUZZERS[name as keyof typeof FUZZERS] : undefined
if (fuzz === undefined || Number.isNaN(packets) || Number.isNaN(seed)) {
  console.error(`usage: npm run fuzz -- ${Object.keys(FUZZERS).join('|')} [--packets N] [--seed N]`)
  process.exit(2)
}
console.log(`${packets} packets, seed ${seed}`)
try {
  let told = 0
  const say = (line: string) => {
    told += 1
    if (told % 20 === 0) console.log(line)
  }
  const result = fuzz({ seed, packets, say })
  const most = [...result.ways].sort(([, a], [, b]) => b - a)
  for (const [way, count] of most) console.log(`${String(count).padStart(12)}  ${way}`)
  const rate = Math.round(result.packets / result.seconds)
  console.log(
    `${result.packets} packets, ${result.replies} replies, no rule broken; ${result.seconds.toFixed(1)} s, ${rate}/s`,
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
