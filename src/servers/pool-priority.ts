import { readdirSync, readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import os from 'node:os'

/** How much nicer the pool's threads are than the main one: measured, see docs/performance.md. */
const NICER_BY = 19
const NICEST = 19

/**
 * Makes the threads of libuv's pool, which move image bytes, give way to the main one: DHCP and decisions get their
 * core at once when both want it. Linux only, where a priority is a thread's own.
 *
 * @returns how many threads it was done for; 0 where it cannot be.
 */
export async function lowerPoolPriority(): Promise<number> {
  // The pool starts with its first work, and then all of it.
  await stat('/')
  if (process.platform !== 'linux') return 0
  const priority = Math.min(os.getPriority() + NICER_BY, NICEST)
  let lowered = 0
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'latin1')
      if (!name.startsWith('libuv-worker')) continue
      os.setPriority(Number(thread), priority)
      lowered += 1
    }
  } catch {
    // A thread ended meanwhile, or /proc is hidden: it is only slower so.
  }
  return lowered
}
