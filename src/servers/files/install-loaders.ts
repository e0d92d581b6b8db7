import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import path from 'node:path'
import { makeDirectory } from '../../store/make-directory.ts'

/** Where Debian's `ipxe` package puts its files. */
export const DEBIAN_IPXE_DIR = '/usr/lib/ipxe'

type KnownLoader = readonly [name: string, sources: readonly string[]]

/** Flat name here -> names that packages and builds give the file, the best first. */
const KNOWN_LOADERS: readonly KnownLoader[] = [
  ['undionly.kpxe', ['undionly.kpxe']],
  ['ipxe.pxe', ['ipxe.pxe']],
  ['snponly.efi', ['snponly.efi', 'ipxe-snponly-x86-64.efi']],
  ['ipxe.efi', ['ipxe.efi', 'ipxe-amd64.efi']],
  ['snponly-i386.efi', ['snponly-i386.efi', 'ipxe-i386.efi']],
  ['snponly-arm32.efi', ['snponly-arm32.efi', 'ipxe-arm32.efi']],
  // Where a package has no snponly for an architecture, its full iPXE stands in; the manifest keeps its own name.
  ['snponly-arm64.efi', ['snponly-arm64.efi', 'ipxe-arm64.efi']],
  ['snponly-riscv64.efi', ['snponly-riscv64.efi', 'ipxe-riscv64.efi']],
  ['snponly-loong64.efi', ['snponly-loong64.efi', 'ipxe-loong64.efi']],
]

export interface InstalledLoader {
  readonly name: string
  readonly source_name: string
  readonly bytes: number
  readonly sha256: string
}

/** No loader was found where they should be. */
export class NoLoaders extends Error {
  readonly code = 'no-loaders'
  readonly cure: string
  constructor(from: string) {
    super(`${from} holds none of: ${KNOWN_LOADERS.flatMap(([, sources]) => sources).join(', ')}`)
    this.cure =
      'apt-get install ipxe, or name a directory with iPXE binaries: pilotlight assets install --from DIR'
  }
}

/**
 * Copies the loaders that a directory holds into ours, under flat names, and writes the manifest that `serve` checks
 * them against. Each file is written under a temporary name, synced and renamed; the manifest comes last.
 *
 * @throws NoLoaders
 */
export function installLoaders(from: string, to: string): readonly InstalledLoader[] {
  const found = KNOWN_LOADERS.flatMap(([name, sources]) => {
    const source = sources.find((candidate) => existsSync(path.join(from, candidate)))
    return source === undefined ? [] : [{ name, source }]
  })
  if (found.length === 0) throw new NoLoaders(from)
  makeDirectory(path.resolve(to))
  const files = found.map(({ name, source }) => {
    const bytes = readFileSync(path.join(from, source))
    writeDurably(path.join(to, name), bytes)
    return {
      name,
      source_name: source,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    }
  })
  const manifest = { version: 1, source: from, files }
  writeDurably(path.join(to, 'manifest.json'), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`))
  return files
}

function writeDurably(target: string, bytes: Buffer): void {
  const temporary = `${target}.${process.pid}.tmp`
  const handle = openSync(temporary, 'w', 0o644)
  try {
    writeSync(handle, bytes)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(temporary, target)
}
