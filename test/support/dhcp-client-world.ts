import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inside, Namespaces, noNamespaces, type Program } from './dhcp-netns.ts'

const SERVER = fileURLToPath(new URL('./dhcp-netns-server.ts', import.meta.url))

/** Why a test with these programs cannot run here; false: it can. */
export function skipWithout(...programs: readonly string[]): string | false {
  const missing = noNamespaces()
  if (missing !== undefined) return missing
  const absent = programs.filter((name) => spawnSync('which', [name]).status !== 0)
  return absent.length === 0 ? false : `not installed: ${absent.join(', ')}`
}

/** A link with the server (10.88.0.1) and a client's port `c0`, all in namespaces. */
export class ClientWorld {
  readonly namespaces: Namespaces
  readonly folder: string
  readonly link: string
  readonly clientSide: string
  readonly server: Program

  private constructor(parts: Pick<ClientWorld, 'namespaces' | 'folder' | 'link' | 'clientSide' | 'server'>) {
    this.namespaces = parts.namespaces
    this.folder = parts.folder
    this.link = parts.link
    this.clientSide = parts.clientSide
    this.server = parts.server
  }

  static async start(t: { teardown(done: () => unknown): void }): Promise<ClientWorld> {
    const namespaces = new Namespaces()
    const link = namespaces.add('l')
    const serverSide = namespaces.add('s')
    const clientSide = namespaces.add('c')
    inside(link, 'ip', 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0')
    inside(link, 'ip', 'link', 'set', 'br0', 'up')
    const folder = mkdtempSync(join(tmpdir(), 'dhcp-clients-'))
    t.teardown(async () => {
      await namespaces.clear()
      rmSync(folder, { recursive: true })
    })
    plug(namespaces, link, 'ps', [serverSide, 's0', '10.88.0.1/24'])
    plug(namespaces, link, 'pc', [clientSide, 'c0'], '02:00:00:00:00:03')
    const server = namespaces.start(serverSide, [process.execPath, SERVER])
    await server.line(/^listening$/)
    return new ClientWorld({ namespaces, folder, link, clientSide, server })
  }

  /** Another host on the link that has an address. */
  addHost(role: string, address: string): string {
    const host = this.namespaces.add(role)
    plug(this.namespaces, this.link, `p${role}`, [host, 'h0', address])
    return host
  }

  /** Writes an executable script. */
  script(name: string, text: string): string {
    const file = join(this.folder, name)
    writeFileSync(file, text)
    chmodSync(file, 0o755)
    return file
  }
}

/** Joins a host's device to the link's bridge. */
function plug(
  namespaces: Namespaces,
  link: string,
  port: string,
  end: readonly [ns: string, device: string, address?: string],
  mac?: string,
): void {
  namespaces.join([link, port], end, mac)
  inside(link, 'ip', 'link', 'set', port, 'master', 'br0')
}
