import { DEBIAN_IPXE_DIR, installLoaders } from '../servers/files/install-loaders.ts'
import { writeNamed } from './named-file.ts'
import { configOf } from './program-dir.ts'
import { printTable } from './table.ts'

export interface AssetsOptions {
  readonly from?: string
  readonly to?: string
  readonly config?: string
  readonly json?: boolean
}

/** `pilotlight assets install`. */
export function installAssets(options: AssetsOptions): void {
  const to = options.to ?? configOf(options.config).assetsDir
  const files = writeNamed(to, () => installLoaders(options.from ?? DEBIAN_IPXE_DIR, to))
  if (options.json === true) return console.log(JSON.stringify({ directory: to, files }, null, 2))
  console.log(`loaders in ${to}:`)
  printTable(
    ['NAME', 'FROM', 'BYTES', 'SHA256'],
    files.map((file) => [file.name, file.source_name, String(file.bytes), file.sha256.slice(0, 16)]),
  )
  console.log('a server that runs takes them when it is started again')
}
