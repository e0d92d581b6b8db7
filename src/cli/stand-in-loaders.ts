import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CliFailure } from './failure.ts'

/**
 * Loaders for simulated machines where Debian's `ipxe` package is not installed: random bytes, which a simulated machine
 * fetches and does not run. A real machine never gets them.
 */
export async function writeStandInLoaders(workDir: string, mode: 'qemu' | 'simulated'): Promise<string> {
  if (mode !== 'simulated')
    throw new CliFailure("real machines need Debian's ipxe package: apt-get install ipxe")
  const directory = path.join(workDir, 'stand-in-loaders')
  await mkdir(directory)
  await writeFile(path.join(directory, 'undionly.kpxe'), randomBytes(70_000))
  await writeFile(path.join(directory, 'snponly.efi'), randomBytes(170_000))
  return directory
}
