import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

/** A command that ended with an error: which, and what it said. */
export class CommandFailed extends Error {
  readonly code = 'command-failed'
  constructor(command: string, cause: unknown) {
    const said = String((cause as { stderr?: unknown }).stderr ?? (cause as Error).message).trim()
    super(`${command} failed: ${said.slice(-600)}`, { cause })
  }
}

/** Runs a command to its end and gives what it printed. Arguments are passed as they are: no shell reads them. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly signal?: AbortSignal; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    const { stdout } = await execFileAsync(command, [...args], { maxBuffer: 16 * 1024 * 1024, ...options })
    return stdout
  } catch (cause) {
    throw new CommandFailed(`${command} ${args.join(' ')}`, cause)
  }
}
