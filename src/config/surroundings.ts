import os from 'node:os'
import path from 'node:path'
import type { Interfaces } from './check.ts'

/** What loading takes from the machine it runs on; tests give their own. */
export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv
  readonly interfaces: Interfaces
  readonly isRoot: boolean
  readonly homeDir: string
  /** Directory of the program: `boot-assets/` lies in it. */
  readonly programDir: string
  /** True to read another machine's configuration: its links and addresses are not looked for here. */
  readonly isElsewhere?: boolean
  fileExists(file: string): boolean
}

/** The surroundings of a real run. */
export function realSurroundings(programDir: string, fileExists: (file: string) => boolean): Surroundings {
  return {
    environment: process.env,
    interfaces: os.networkInterfaces(),
    isRoot: process.getuid?.() === 0,
    homeDir: os.homedir(),
    programDir,
    fileExists,
  }
}

/** Where data lies when no key says it: the system's place for root, else the user's own. */
export function defaultDataDir(around: Surroundings): string {
  if (around.isRoot) return '/var/lib/pilotlight'
  const state = around.environment.XDG_STATE_HOME || path.join(around.homeDir, '.local', 'state')
  return path.join(state, 'pilotlight')
}
