import { call } from './api-client.ts'
import type { BootAnswer, ExchangeAnswer } from './boot-answer.ts'
import { paintFor } from './paint.ts'
import { printTable } from './table.ts'
import { waterfall } from './waterfall.ts'

const PIPE_COLUMNS = 100

/** The latest attempt to scale, or the one asked for, and the earlier ones in a line each. */
export async function printBoots(ref: string, options: { json?: boolean; boot?: string }): Promise<void> {
  const { items } = await call<{ items: BootAnswer[] }>('GET', `/machines/${encodeURIComponent(ref)}/boots`)
  if (options.json === true) return console.log(JSON.stringify(await withExchanges(items), null, 2))
  const shown = options.boot ?? items[0]?.boot_id
  if (shown === undefined) return console.log(`${ref} has not booted yet: no boot packet of it was seen`)
  printBoot(await boot(shown))
  const others = items.filter((item) => item.boot_id !== shown)
  if (others.length === 0) return
  console.log('\nother attempts (--boot ID shows one):')
  printTable(
    ['BOOT', 'BEGUN', 'CAME TO', 'END', 'TOOK'],
    others.map((item) => [
      item.boot_id,
      item.started_at,
      item.stage,
      item.end ?? 'runs',
      `${(item.total_ms / 1000).toFixed(1)} s`,
    ]),
  )
}

/** One attempt: its picture, then what it exchanged with the server. */
export function printBoot(attempt: BootAnswer): void {
  printPicture(attempt)
  const exchanges = attempt.exchanges ?? []
  if (exchanges.length === 0) return
  console.log('')
  printTable(['AFTER', 'WHAT', 'TIMES', 'FACTS'], exchanges.map(exchangeRow))
}

/** The attempt to scale. */
export function printPicture(attempt: BootAnswer): void {
  const out = process.stdout
  console.log(
    `boot ${attempt.boot_id}, begun ${attempt.started_at}: ${attempt.end ?? attempt.status} at ${attempt.stage}`,
  )
  const skewMs = attempt.clock_skew_ms ?? 0
  // Nodes tell whole seconds, so less than one says nothing.
  if (Math.abs(skewMs) >= 1000)
    console.log(`its clock is ${Math.abs(skewMs / 1000).toFixed(0)} s ${skewMs < 0 ? 'behind' : 'ahead'}`)
  for (const line of waterfall(attempt, {
    columns: out.isTTY === true ? out.columns : PIPE_COLUMNS,
    paint: paintFor(out),
  }))
    console.log(line)
}

function exchangeRow(exchange: ExchangeAnswer): string[] {
  const facts = Object.entries(exchange.facts).map(([name, value]) => `${name}=${value}`)
  if (exchange.bytes > 0) facts.push(`bytes=${exchange.bytes}`)
  if (exchange.retries > 0) facts.push(`again=${exchange.retries}`)
  return [
    `${(exchange.first_after_ms / 1000).toFixed(1)} s`,
    `${exchange.kind} ${exchange.key}`,
    String(exchange.times),
    facts.join(' '),
  ]
}

function boot(id: string): Promise<BootAnswer> {
  return call<BootAnswer>('GET', `/boots/${encodeURIComponent(id)}`)
}

function withExchanges(items: readonly BootAnswer[]): Promise<BootAnswer[]> {
  return Promise.all(items.map(({ boot_id }) => boot(boot_id)))
}
