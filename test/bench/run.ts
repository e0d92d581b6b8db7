import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { ensurePackages, type NeededPackage } from '../../src/rack/debian-packages.ts'
import type { BenchOptions, BenchResult } from './report.ts'

/** `npm run bench -- NAME [--json]`: runs `NAME.bench.ts` beside this file and prints its figures. */

/** What the servers and links need; the servers themselves, which an installation would start, are unpacked. */
const PACKAGES: readonly NeededPackage[] = [
  { name: 'iproute2', why: 'the private links' },
  { name: 'procps', why: 'sysctl, for receive buffers' },
  { name: 'dnsmasq-base', why: 'a DHCP and TFTP server to compare with' },
  { name: 'libwrap0', why: 'tftpd-hpa needs it' },
  { name: 'libpcre3', why: 'atftpd needs it' },
]

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length))
const args = process.argv.slice(2)
const [name] = args.filter((arg) => !arg.startsWith('--'))
const isJson = args.includes('--json')

if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- ${names.join('|')} [--json]; got ${name ?? 'no name'}`)
  process.exit(2)
}

const { bench } = (await import(`./${name}.bench.ts`)) as {
  bench(options: BenchOptions): Promise<BenchResult>
}
const say = (line: string) => (isJson ? console.error(line) : console.log(line))
if (process.getuid?.() === 0) await ensurePackages(PACKAGES, say)
// The figures are ratios between servers on one machine: what else runs on it should not be part of them.
if (process.getuid?.() === 0) takePrecedence(-15)
const [cpu] = os.cpus()
say(
  `${os.availableParallelism()} cores, ${cpu?.model ?? 'unknown'}, ${os.type()} ${os.release()}, Node ${process.version}`,
)
const result = await bench({ say, args })
if (isJson) console.log(JSON.stringify(result, null, 2))
else {
  for (const { work, server, value, unit } of result.rows)
    console.log(`${work.padEnd(40)} ${server.padEnd(24)} ${String(round(value)).padStart(12)} ${unit}`)
  for (const { name: target, got, want, met } of result.targets)
    console.log(`${met ? 'met   ' : 'MISSED'} ${target}: ${round(got)}, want ${want}`)
}
process.exitCode = result.targets.every(({ met }) => met) ? 0 : 1

function round(value: number): number {
  return Number(value.toPrecision(4))
}

/**
 * Gives this process and its children precedence. Where Linux shares the cores out by session (autogroup), a priority
 * counts within its own session only, so the session gets it too, until the bench ends.
 */
function takePrecedence(priority: number): void {
  os.setPriority(priority)
  const file = '/proc/self/autogroup'
  try {
    const before = /nice (-?\d+)/.exec(readFileSync(file, 'latin1'))?.[1]
    if (before === undefined) return
    writeFileSync(file, String(priority))
    process.once('exit', () => writeFileSync(file, before))
  } catch {
    // A kernel without it shares by priority alone.
  }
}
