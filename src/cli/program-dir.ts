import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { realSurroundings } from '../config/surroundings.ts'

/** The directory that holds `src/`, `migrations/` and `boot-assets/`. */
export const PROGRAM_DIR = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The configuration of a command, from `--config` (else `PILOTLIGHT_CONFIG`), the environment and the defaults. */
export function configOf(file: string | undefined): Config {
  return loadConfig(fileOf(file), realSurroundings(PROGRAM_DIR, existsSync))
}

/** A configuration that may be another machine's: its links and addresses are not looked for on this one. */
export function configFromElsewhere(file: string | undefined): Config {
  return loadConfig(fileOf(file), { ...realSurroundings(PROGRAM_DIR, existsSync), isElsewhere: true })
}

function fileOf(flag: string | undefined): string | undefined {
  return flag ?? (process.env.PILOTLIGHT_CONFIG || undefined)
}
