import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from '../config/config.ts'

/** Pretty on a terminal, one JSON object a line otherwise; always on standard error's side of a pipe: standard output. */
export function loggerOf(log: Config['log']): Logger {
  const isPretty = log.format === 'pretty' || (log.format === 'auto' && process.stdout.isTTY)
  const options = { level: log.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return isPretty ? pino(options, pretty({ colorize: process.stdout.isTTY, sync: true })) : pino(options)
}
