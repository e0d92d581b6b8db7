import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { kernelPackage, unpackPackage } from './debian-packages.ts'
import { runCommand } from './run-command.ts'
import { makeServiceCertificates } from './service-certificates.ts'

const KERNEL = 'linux-image-cloud-amd64'
const SUITE = 'bookworm'
/** Images that are kept: the one of today, and of the state that one goes back to. */
const KEPT_IMAGES = 2

export interface DemoImage {
  /** Holds `netboot.ipxe`, `bzImage` and `initrd`; `separate/` the same with the root in a file of its own. */
  readonly directory: string
  readonly caPem: string
}

export interface DemoImageWish {
  readonly programDir: string
  /** Addresses that the stand-in services' certificate is good for. */
  readonly addresses: readonly string[]
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/** Where images are kept between runs. */
export function imageCacheDir(): string {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache')
  return path.join(cache, 'pilotlight', 'demo-images')
}

/**
 * The demo's machine image, built when no kept one was made of the same things. It is written under a temporary name and
 * renamed, so that a build that was broken off is never taken for an image.
 */
export async function demoImage({ programDir, addresses, say, signal }: DemoImageWish): Promise<DemoImage> {
  const bootAssets = path.join(programDir, 'boot-assets')
  const standIns = path.join(programDir, 'src', 'rack', 'stand-ins')
  const kernel = await kernelPackage(KERNEL)
  const key = await keyOf(
    [...['first-boot', 'initrd', 'units'].map((name) => path.join(bootAssets, name)), standIns],
    [kernel, SUITE, ...addresses],
  )
  const cache = imageCacheDir()
  const directory = path.join(cache, key)
  if (!existsSync(directory)) {
    say(
      `building a machine image of Debian packages (${kernel}, systemd) with stand-ins for the cluster's services; about a minute, kept in ${cache}`,
    )
    await mkdir(cache, { recursive: true })
    const building = await mkdtemp(path.join(cache, '.building-'))
    try {
      await build(building, { bootAssets, standIns, kernel, addresses, cache, signal })
      await rename(building, directory)
    } catch (error) {
      await rm(building, { recursive: true, force: true })
      throw error
    }
    await forgetOldImages(cache, key)
  }
  const now = new Date()
  await utimes(directory, now, now)
  return { directory, caPem: await readFile(path.join(directory, 'ca.pem'), 'utf8') }
}

interface BuildParts {
  readonly bootAssets: string
  readonly standIns: string
  readonly kernel: string
  readonly addresses: readonly string[]
  readonly cache: string
  readonly signal: AbortSignal
}

async function build(directory: string, parts: BuildParts): Promise<void> {
  const certificates = makeServiceCertificates(parts.addresses)
  const certDir = path.join(directory, 'certificates')
  await mkdir(certDir, { mode: 0o700 })
  await writeFile(path.join(certDir, 'ca.pem'), certificates.caPem)
  await writeFile(path.join(certDir, 'cert.pem'), certificates.certPem)
  await writeFile(path.join(certDir, 'key.pem'), certificates.keyPem, { mode: 0o600 })
  const unpacked = path.join(directory, 'kernel')
  const kernelDir = await unpackPackage(parts.kernel, unpacked)
  const script = path.join(parts.standIns, 'build-image.sh')
  await runCommand(script, [directory, parts.bootAssets, parts.standIns, certDir, kernelDir, SUITE], {
    signal: parts.signal,
  })
  await writeFile(path.join(directory, 'ca.pem'), certificates.caPem)
  await rm(certDir, { recursive: true })
  await rm(unpacked, { recursive: true })
}

/** A name made of everything that goes into an image: other scripts, another kernel, other addresses, another name. */
async function keyOf(directories: readonly string[], words: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(words.join('\n'))
  for (const directory of directories) {
    const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort()
    for (const name of names)
      hash.update(`\n${path.relative(directory, name)}\n`).update(await readFile(name))
  }
  return hash.digest('hex').slice(0, 16)
}

async function forgetOldImages(cache: string, current: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => /^[0-9a-f]{16}$/.test(name) && name !== current)
  for (const name of names.slice(0, Math.max(0, names.length - (KEPT_IMAGES - 1)))) {
    await rm(path.join(cache, name), { recursive: true, force: true })
  }
}
