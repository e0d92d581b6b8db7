import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { startApp } from '../../../src/app.ts'
import { configOf, PROGRAM_DIR } from '../../../src/cli/program-dir.ts'

/**
 * The server as `pilotlight serve` starts it, with one thing more: at a line on its standard input it collects its
 * garbage (`--expose-gc`) and says how much memory it holds, and of what kind.
 */
const MIB = 1024 * 1024
const config = configOf(process.argv[2])
const app = await startApp({ config, log: pino({ level: 'warn' }), programDir: PROGRAM_DIR })
console.log('serving')
createInterface({ input: process.stdin }).on('line', () => {
  collectAll()
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
  const held = { rss, heapTotal, heapUsed, external, arrayBuffers, files: residentFileBytes() }
  const mib = Object.entries(held).map(([kind, bytes]) => [`${kind}MiB`, bytes / MIB])
  console.log(JSON.stringify(Object.fromEntries(mib)))
})
process.once('SIGTERM', () => void app.stop().then(() => process.exit()))

/** All garbage, and what the heap keeps of empty pages beside what it holds: what is left is what is remembered. */
function collectAll(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** What of the resident size is files that the kernel could read again: programs, the index of the write-ahead log. */
function residentFileBytes(): number {
  const status = readFileSync('/proc/self/status', 'latin1')
  const kib = ['RssFile', 'RssShmem'].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0),
  )
  return kib.reduce((sum, one) => sum + one, 0) * 1024
}
