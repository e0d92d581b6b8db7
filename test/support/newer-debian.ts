import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { runCommand } from '../../src/rack/run-command.ts'

const SUITE = 'trixie'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const SOURCES = '/etc/apt/sources.list.d/debian.sources'

/**
 * Unpacks a package of a newer Debian suite than the one that is installed, from the mirror that this machine uses,
 * through an apt configuration of its own: neither the machine's package lists nor its packages change.
 *
 * @returns the directory that stands for `/`, or why that cannot be had here.
 */
export async function unpackedFromNewerDebian(name: string): Promise<{ root: string } | { why: string }> {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'pilotlight')
  const root = path.join(cache, 'debian-programs', `${name}-${SUITE}`)
  if (existsSync(root)) return { root }
  const mirror = mirrorOfThisMachine()
  if (mirror === undefined) return { why: `${SOURCES} names no mirror to take ${SUITE} from` }
  mkdirSync(path.dirname(root), { recursive: true })
  const apt = await mkdtemp(`${root}.`)
  try {
    const options = await aptOptions(apt, mirror)
    await runCommand('apt-get', [...options, 'update', '-qq'])
    const fetch = 'cd "$1" && shift && apt-get "$@"'
    await runCommand('sh', ['-c', fetch, 'sh', apt, ...options, 'download', '-qq', name])
    const archive = (await readdir(apt)).find((file) => file.endsWith('.deb'))
    if (archive === undefined) return { why: `apt-get downloaded no ${name} of ${SUITE}` }
    await runCommand('dpkg-deb', ['-x', path.join(apt, archive), path.join(apt, 'root')])
    await rename(path.join(apt, 'root'), root).catch((error: unknown) => {
      if (!existsSync(root)) throw error
    })
    return { root }
  } catch (error) {
    return { why: `${SUITE}'s ${name} cannot be had here: ${(error as Error).message.split('\n')[0]}` }
  } finally {
    await rm(apt, { recursive: true, force: true })
  }
}

function mirrorOfThisMachine(): string | undefined {
  if (!existsSync(SOURCES) || !existsSync(KEYRING)) return undefined
  return /^URIs: *(\S+)/m.exec(readFileSync(SOURCES, 'utf8'))?.[1]
}

async function aptOptions(directory: string, mirror: string): Promise<readonly string[]> {
  const at = (...parts: readonly string[]) => path.join(directory, ...parts)
  for (const one of ['lists/partial', 'cache/archives/partial', 'sources'])
    mkdirSync(at(one), { recursive: true })
  await writeFile(at('status'), '')
  const source = { Types: 'deb', URIs: mirror, Suites: SUITE, Components: 'main', 'Signed-By': KEYRING }
  const lines = Object.entries(source).map(([key, value]) => `${key}: ${value}\n`)
  await writeFile(at('sources', 'newer.sources'), lines.join(''))
  const settings = {
    'Dir::State': directory,
    'Dir::State::status': at('status'),
    'Dir::State::Lists': at('lists'),
    'Dir::Cache': at('cache'),
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': at('sources'),
    'APT::Sandbox::User': 'root',
  }
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
}
