import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/config.ts'
import { loadConfig, realSurroundings } from '../config/load.ts'

/** The directory that holds `src/`, `migrations/` and `boot-assets/`. */
export const PROGRAM_DIR = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The configuration of a command, from `--config`, the environment and the defaults. */
export function configOf(file: string | undefined): Config {
  return loadConfig(file, realSurroundings(PROGRAM_DIR, existsSync))
}
