// The thread of log-sync.ts. Plain JavaScript, so that it starts without a compiler of its own.
import { fdatasyncSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

parentPort?.on('message', () => {
  try {
    fdatasyncSync(workerData)
    parentPort?.postMessage({ answer: undefined })
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error)
    parentPort?.postMessage({ failure: { code, message } })
  }
})
