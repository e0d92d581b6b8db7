// The thread of checkpoint.ts. Plain JavaScript, so that it starts without a compiler of its own.
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'

/** What comes into the log during a pass is less each time; so much of it may stay there. */
const FEW_PAGES = 64
const MOST_PASSES = 4

const db = new Database(workerData, { fileMustExist: true })
db.pragma('synchronous = NORMAL')
db.pragma('wal_autocheckpoint = 0')

parentPort?.on('message', () => {
  try {
    parentPort?.postMessage({ answer: move() })
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    parentPort?.postMessage({ failure: { code, message } })
  }
})

/**
 * Moves what the log holds while others write it, as long as each pass finds at most half of what the one before found:
 * else the log is written as fast as it is moved. Returns how many pages the log has, and how many of them came since
 * the first pass.
 */
function move() {
  let logPages = passed()
  const first = logPages
  let came = logPages
  for (let pass = 2; pass <= MOST_PASSES && came >= FEW_PAGES; pass += 1) {
    const before = came
    const now = passed()
    came = now - logPages
    logPages = now
    if (came > before / 2) break
  }
  return { logPages, came: logPages - first }
}

/** Moves what the log holds now. Returns how many pages it has, moved ones among them. */
function passed() {
  const [found] = /** @type {{ log: number }[]} */ (db.pragma('wal_checkpoint(PASSIVE)'))
  return found?.log ?? 0
}
