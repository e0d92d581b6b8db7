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
    parentPort?.postMessage({ answer: { logPages: moved() } })
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    parentPort?.postMessage({ failure: { code, message } })
  }
})

/**
 * Moves what the log holds while others write it, for as long as each pass has half of what the one before had: where
 * it does not, the log is written as fast as it is moved. Returns how many pages it held at the last pass.
 */
function moved() {
  let logPages = 0
  let came = Number.POSITIVE_INFINITY
  for (let pass = 1; pass <= MOST_PASSES; pass += 1) {
    const [found] = /** @type {{ log: number }[]} */ (db.pragma('wal_checkpoint(PASSIVE)'))
    const before = came
    came = (found?.log ?? 0) - logPages
    logPages += came
    if (came < FEW_PAGES || came > before / 2) break
  }
  return logPages
}
