import { ConfigError } from '../config/messages.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

/** An expected failure: its message is for a person, and its exit code for a script. */
export class CliFailure extends Error {
  readonly exitCode: ExitCode
  constructor(message: string, exitCode: ExitCode = EXIT.failed) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Says on standard error what went wrong, and sets the exit code. A bug keeps its stack. */
export function failWith(error: unknown): void {
  if (error instanceof CliFailure) {
    console.error(error.message)
    process.exitCode = error.exitCode
    return
  }
  process.exitCode = EXIT.failed
  if (error instanceof ConfigError) console.error(`the configuration cannot be used:\n${error.message}`)
  else if (isExpected(error))
    console.error(
      `${error.message}${error.cure === undefined ? '' : ` (${error.code})\ncure: ${error.cure}`}`,
    )
  else console.error(error)
}

function isExpected(error: unknown): error is Error & { code: string; cure?: string } {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}
