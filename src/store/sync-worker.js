// The thread of sync-thread.ts. Plain JavaScript, so that it starts without a compiler of its own.
import { fdatasyncSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

parentPort?.on('message', () => {
  let failure
  try {
    fdatasyncSync(workerData)
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    failure = { code, message }
  }
  parentPort?.postMessage(failure)
})
