import path from 'node:path'
import { keaRoot } from '../../support/kea.ts'
import type { BenchLink } from './bench-link.ts'
import { RELAY_ADDRESS, SERVER_ADDRESS } from './servers.ts'

/** Rates that perfdhcp is asked to keep, exchanges per second. */
const RATES = [250, 500, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 12_000]
const SECONDS = 2
const MOST_LOSS = 0.01
/** perfdhcp's MACs begin here: 02:00:10:00:00:00. */
export const PERFDHCP_FIRST_CLIENT = 0x10000000
export const PERFDHCP_CLIENTS = 4000

/**
 * The highest rate at which Kea's own load tool loses less than one exchange in a hundred, found by bisection.
 *
 * @param upTo rates above are not tried.
 */
export async function highestRate(link: BenchLink, upTo: number): Promise<number> {
  const rates = RATES.filter((rate) => rate <= upTo)
  let best = 0
  let low = 0
  let high = rates.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const rate = rates[middle] ?? 0
    if ((await lossAt(link, rate)) <= MOST_LOSS) {
      best = rate
      low = middle + 1
    } else {
      high = middle - 1
    }
  }
  return best
}

/** The part of exchanges that perfdhcp began and that did not end, at a rate. */
async function lossAt(link: BenchLink, rate: number): Promise<number> {
  const root = await keaRoot()
  const program = link.namespaces.start(link.clientSide, [
    ...['env', `LD_LIBRARY_PATH=${path.join(root, 'usr/lib/x86_64-linux-gnu')}`, `${root}/usr/sbin/perfdhcp`],
    ...['-4', '-l', RELAY_ADDRESS, '-r', String(rate), '-p', String(SECONDS), '-R', String(PERFDHCP_CLIENTS)],
    ...['-b', 'mac=02:00:10:00:00:00', '-W', '500000', SERVER_ADDRESS],
  ])
  await program.ended()
  const sent = numbersAfter(program.text, 'sent packets')
  const received = numbersAfter(program.text, 'received packets')
  const [discovers = 0] = sent
  const acks = received[1] ?? 0
  if (discovers === 0) throw new Error(`perfdhcp says nothing:\n${program.text}`)
  // A client that cannot begin the exchanges that it is asked for has found its own limit, and the server has lost none.
  return 1 - acks / Math.max(discovers, rate * SECONDS)
}

function numbersAfter(text: string, words: string): readonly number[] {
  return [...text.matchAll(new RegExp(`^${words}: (\\d+)`, 'gm'))].map(([, digits]) => Number(digits))
}
