import { flushCompileCache } from 'node:module'
import { startApp } from '../app.ts'
import { EXIT } from './exit-codes.ts'
import { loggerOf } from './logger.ts'
import { configOf, PROGRAM_DIR } from './program-dir.ts'

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** `pilotlight serve`: runs until SIGTERM or SIGINT, then stops in order; a second signal stops at once. */
export async function serve(options: { readonly config?: string; readonly json?: boolean }): Promise<void> {
  const config = configOf(options.config)
  const log = loggerOf(options.json === true ? { ...config.log, format: 'json' } : config.log)
  if (config.file === undefined) {
    log.warn(
      { next: 'pilotlight init' },
      'no configuration: listening on loopback only, DHCP off; write one with pilotlight init',
    )
  }
  const app = await startApp({ config, log, programDir: PROGRAM_DIR })
  // For the next start; Node does so by itself only when it ends in order.
  flushCompileCache()
  const why = await Promise.race([signalled(), app.failed])
  if (why instanceof Error) {
    log.fatal({ err: why }, 'stopping at once: the disk cannot be trusted')
    process.exit(EXIT.diskUntrusted)
  }
  log.info({ signal: why }, 'stopping')
  stopAtOnceWhenAskedAgain()
  await app.stop()
}

/** Ctrl-C reaches the whole group, and npm hands it on besides: what comes in the same second is the same wish. */
const SAME_WISH_MS = 1_000

function stopAtOnceWhenAskedAgain(): void {
  const firstAt = performance.now()
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (performance.now() - firstAt > SAME_WISH_MS) process.exit(EXIT.failed)
    })
  }
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) process.once(signal, resolve)
  })
}
