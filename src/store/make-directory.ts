import { mkdirSync, statSync } from 'node:fs'
import path from 'node:path'

/**
 * Makes a directory and those above it that are not there, as `mkdir -p` does. Node's own `recursive` never comes back where
 * a file system says of each that the one above is missing, as `/proc` does.
 *
 * @throws what the first `mkdir` that fails says: EACCES, EEXIST (a file of that name), ENOTDIR (below a file), ENOENT, …
 */
export function makeDirectory(directory: string, mode = 0o777): void {
  if (isDirectory(directory)) return
  try {
    mkdirSync(directory, { mode })
  } catch (error) {
    // Another process was faster.
    if (isDirectory(directory)) return
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || isDirectory(path.dirname(directory)))
      throw error
    makeDirectory(path.dirname(directory))
    makeDirectory(directory, mode)
  }
}

function isDirectory(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() === true
}
