import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { runCommand } from './run-command.ts'

/** A package of Debian's, and why the rack needs it. */
export interface NeededPackage {
  readonly name: string
  readonly why: string
}

/** What a rack of QEMU machines needs. */
export const RACK_PACKAGES: readonly NeededPackage[] = [
  { name: 'qemu-system-x86', why: 'the machines' },
  { name: 'ovmf', why: 'their UEFI firmware' },
  { name: 'ipxe-qemu', why: 'their BIOS network ROM' },
  { name: 'ipxe', why: 'the loaders that the server hands out' },
  { name: 'iproute2', why: 'the private network' },
  { name: 'dnsmasq-base', why: 'IPv6 router advertisements, without which iPXE waits 16 s' },
  { name: 'mmdebstrap', why: 'the machine image' },
  { name: 'squashfs-tools', why: 'the machine image' },
  { name: 'zstd', why: 'the machine image' },
  { name: 'cpio', why: 'the machine image' },
  { name: 'kmod', why: 'the machine image' },
]

/** For a rack that keeps what goes over its ports. */
export const CAPTURE_PACKAGE: NeededPackage = { name: 'tcpdump', why: 'captures of what failed' }

/** The packages of a list that are not installed. */
export async function missingPackages(wanted: readonly NeededPackage[]): Promise<readonly NeededPackage[]> {
  const installed = new Set<string>()
  const listing = await runCommand('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Abbrev}\n'])
  for (const line of listing.split('\n')) {
    const [name, status] = line.split(' ')
    if (name !== undefined && status?.startsWith('ii') === true) installed.add(name)
  }
  return wanted.filter(({ name }) => !installed.has(name))
}

/** Installs what is missing, after saying what and why. */
export async function ensurePackages(
  wanted: readonly NeededPackage[],
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const missing = await missingPackages(wanted)
  if (missing.length === 0) return
  say("installing from Debian's packages:")
  for (const { name, why } of missing) say(`  ${name.padEnd(16)} ${why}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = { env, ...(signal === undefined ? {} : { signal }) }
  await runCommand('apt-get', ['update', '-qq'], options)
  const names = missing.map(({ name }) => name)
  await runCommand('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], options)
}

/** The kernel package that a meta package stands for, with its version: `linux-image-6.1.0-49-cloud-amd64`. */
export async function kernelPackage(metaPackage: string): Promise<string> {
  const read = () => runCommand('apt-cache', ['depends', metaPackage]).catch(() => '')
  const find = (text: string) => /Depends: (linux-image-\S+)/.exec(text)?.[1]
  const known = find(await read())
  if (known !== undefined) return known
  await runCommand('apt-get', ['update', '-qq'])
  const found = find(await read())
  if (found === undefined) throw new Error(`apt knows no ${metaPackage}`)
  return found
}

/** Downloads a package and unpacks it below `directory`, without installing it: its scripts must not run here. */
export async function unpackPackage(name: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true })
  const download = await mkdtemp(path.join(directory, '.download-'))
  try {
    // apt drops its rights for a download where it can; the directory is its own only for that moment.
    await runCommand('sh', [
      '-c',
      'cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$2"',
      'sh',
      download,
      name,
    ])
    const [archive] = await readdir(download)
    if (archive === undefined) throw new Error(`apt-get downloaded nothing for ${name}`)
    const target = path.join(directory, name)
    await rm(target, { recursive: true, force: true })
    await runCommand('dpkg-deb', ['-x', path.join(download, archive), target])
    return target
  } finally {
    await rm(download, { recursive: true, force: true })
  }
}
