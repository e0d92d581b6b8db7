import { startApp } from '../app.ts'
import { EXIT } from './exit-codes.ts'
import { loggerOf } from './logger.ts'
import { configOf, PROGRAM_DIR } from './program-dir.ts'

/** `pilotlight serve`: runs until SIGTERM or SIGINT, then stops in order; a second signal stops at once. */
export async function serve(options: { readonly config?: string }): Promise<void> {
  const config = configOf(options.config)
  const log = loggerOf(config.log)
  if (config.file === undefined) {
    log.warn(
      { next: 'pilotlight init' },
      'no configuration: listening on loopback only, DHCP off; write one with pilotlight init',
    )
  }
  const app = await startApp({ config, log, programDir: PROGRAM_DIR })
  const why = await Promise.race([signalled(), app.failed])
  if (why instanceof Error) {
    log.fatal({ err: why }, 'stopping at once: the disk cannot be trusted')
    process.exit(EXIT.failed)
  }
  log.info({ signal: why }, 'stopping')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(EXIT.failed))
  await app.stop()
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, resolve)
  })
}
