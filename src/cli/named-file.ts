import { readFileSync } from 'node:fs'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

/** The bytes of a file that the caller named. `want` says what should be there: `a PEM file`. */
export function readNamed(file: string, want: string): Buffer {
  return onNamed(file, `${want} that this user may read`, () => readFileSync(file), EXIT.usage)
}

/** Writes to what the caller named, and says which it was where the system refuses. */
export function writeNamed<Result>(file: string, write: () => Result): Result {
  return onNamed(file, 'a place that is there and that this user may write to', write, EXIT.failed)
}

function onNamed<Result>(file: string, want: string, act: () => Result, exitCode: ExitCode): Result {
  try {
    return act()
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    // What no system call said is no matter of the file.
    if (syscall === undefined) throw error
    throw new CliFailure(
      `${file}: got ${code}, want ${want}\ncure: name another, or correct its owner or mode`,
      exitCode,
    )
  }
}
