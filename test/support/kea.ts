import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { unpackedPackages } from './debian-programs.ts'
import type { Namespaces, Program } from './dhcp-netns.ts'

const KEA_PACKAGES = [
  ...['kea-dhcp4-server', 'kea-common', 'kea-admin', 'liblog4cplus-2.0.5', 'libmariadb3', 'libpq5'],
  'libboost-system1.74.0',
]

/** Kea's programs and libraries, unpacked and not installed: the directory that stands for `/`. */
export function keaRoot(): Promise<string> {
  return unpackedPackages(KEA_PACKAGES)
}

/**
 * Starts Kea's DHCPv4 server in a namespace; its files lie in `workDir`.
 *
 * @param dhcp4 what `Dhcp4` holds beside the lease file and the log, which goes to standard output.
 */
export async function startKea(
  namespaces: Namespaces,
  ns: string,
  workDir: string,
  dhcp4: object,
): Promise<Program> {
  const root = await keaRoot()
  const config = path.join(workDir, 'kea.json')
  const where = {
    'lease-database': { type: 'memfile', persist: true, name: path.join(workDir, 'leases.csv') },
    loggers: [{ name: 'kea-dhcp4', severity: 'WARN', output_options: [{ output: 'stdout' }] }],
  }
  writeFileSync(config, JSON.stringify({ Dhcp4: { ...where, ...dhcp4 } }))
  return namespaces.start(ns, [
    ...['env', `LD_LIBRARY_PATH=${root}/usr/lib/x86_64-linux-gnu`, `KEA_PIDFILE_DIR=${workDir}`],
    ...[`KEA_LOCKFILE_DIR=${workDir}`, `KEA_LFC_EXECUTABLE=${root}/usr/sbin/kea-lfc`],
    ...[`${root}/usr/sbin/kea-dhcp4`, '-c', config],
  ])
}
