import { chmodSync } from 'node:fs'
import path from 'node:path'
import { makeDirectory } from './make-directory.ts'

/** The data directory cannot be made, or is another user's. */
export class DataDirUnusable extends Error {
  readonly code = 'data-dir-unusable'
  readonly cure = 'run as the user who owns it, or set data_dir (PILOTLIGHT_DATA_DIR) to another directory'
  constructor(dataDir: string, cause: unknown) {
    const got = (cause as NodeJS.ErrnoException).code ?? String(cause)
    super(`data_dir ${dataDir}: got ${got}, want a directory of this user's own`, { cause })
  }
}

/** There is no room for what a start writes. */
export class DataDirFull extends Error {
  readonly code = 'data-dir-full'
  readonly cure = 'free space there, or set data_dir (PILOTLIGHT_DATA_DIR) to another disk'
  constructor(dataDir: string, cause: unknown) {
    super(`data_dir ${dataDir}: its disk is full, want room to start (${(cause as Error).message})`, {
      cause,
    })
  }
}

/** @throws DataDirUnusable */
export function makeDataDir(dataDir: string): void {
  try {
    makeDirectory(path.resolve(dataDir), 0o700)
    chmodSync(dataDir, 0o700)
  } catch (error) {
    throw new DataDirUnusable(dataDir, error)
  }
}
