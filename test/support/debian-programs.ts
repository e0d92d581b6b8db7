import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { runCommand } from '../../src/rack/run-command.ts'

/**
 * Unpacks Debian packages together below one directory of the cache, without installing them: a server that is
 * installed would be started, and on the machine's real links. Safe to call from several tests at once.
 *
 * @param names The packages, with the libraries that they need and that are not installed.
 * @returns the directory that stands for `/`.
 */
export async function unpackedPackages(names: readonly string[]): Promise<string> {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'pilotlight')
  const key = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 12)
  const root = path.join(cache, 'debian-programs', `${names[0]}-${key}`)
  if (existsSync(root)) return root
  await mkdir(path.dirname(root), { recursive: true })
  const building = await mkdtemp(`${root}.`)
  try {
    const fetch = 'cd "$1" && shift && apt-get download -qq -o APT::Sandbox::User=root "$@"'
    await runCommand('sh', ['-c', fetch, 'sh', building, ...names])
    const tree = path.join(building, 'root')
    for (const archive of (await readdir(building)).filter((name) => name.endsWith('.deb'))) {
      await runCommand('dpkg-deb', ['-x', path.join(building, archive), tree])
    }
    await rename(tree, root).catch((error: unknown) => {
      if (!existsSync(root)) throw error
    })
    return root
  } finally {
    await rm(building, { recursive: true, force: true })
  }
}
