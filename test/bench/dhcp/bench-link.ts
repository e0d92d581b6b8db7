import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inside, Namespaces, type Program } from '../../support/dhcp-netns.ts'
import type { LoadResult, LoadWish } from './load-client.ts'
import { cpuMsOf, RELAY_ADDRESS, SERVER_ADDRESS } from './servers.ts'

const LOAD_CLIENT = fileURLToPath(new URL('./load-client.ts', import.meta.url))
const BUFFER_BYTES = 4 * 1024 * 1024
const BUFFER_KEYS = ['net.core.rmem_max', 'net.core.rmem_default'] as const

/** Server and clients in two namespaces, a cable between; the kernel's receive buffers raised for all of them. */
export class BenchLink {
  readonly namespaces = new Namespaces()
  readonly serverSide: string
  readonly clientSide: string
  readonly #buffersBefore: readonly (readonly [string, string])[]

  constructor() {
    this.#buffersBefore = BUFFER_KEYS.map((key) => [key, sysctl('-n', key).trim()])
    this.serverSide = this.namespaces.add('s')
    this.clientSide = this.namespaces.add('c')
    this.namespaces.join(
      [this.serverSide, 's0', `${SERVER_ADDRESS}/24`],
      [this.clientSide, 'c0', `${RELAY_ADDRESS}/15`],
    )
    // The clients' subnet is none of the server's own links, as behind a relay: so nobody asks ARP about an offer.
    inside(this.serverSide, 'ip', 'route', 'add', '10.100.0.0/15', 'dev', 's0')
    inside(this.clientSide, 'ip', 'route', 'add', '10.90.0.0/24', 'dev', 'c0')
    for (const key of BUFFER_KEYS) sysctl('-qw', `${key}=${BUFFER_BYTES}`)
  }

  /** Runs the load client to its end; CPU is what the server's process used meanwhile. */
  async load(
    server: Program,
    wish: Omit<LoadWish, 'relay' | 'server'>,
  ): Promise<LoadResult & { readonly cpuMicrosPerExchange: number }> {
    const before = cpuMs(server)
    const whole: LoadWish = { ...wish, relay: RELAY_ADDRESS, server: SERVER_ADDRESS }
    const program = this.namespaces.start(this.clientSide, [
      process.execPath,
      LOAD_CLIENT,
      JSON.stringify(whole),
    ])
    const result = JSON.parse(await program.line(/^\{/)) as LoadResult
    const cpuMicrosPerExchange = ((cpuMs(server) - before) * 1000) / result.exchanges
    if (result.twice > 0) throw new Error(`${result.twice} addresses were given to two clients`)
    return { ...result, cpuMicrosPerExchange }
  }

  async close(): Promise<void> {
    for (const [key, value] of this.#buffersBefore) sysctl('-qw', `${key}=${value}`)
    await this.namespaces.clear()
  }
}

function cpuMs(server: Program): number {
  return cpuMsOf(readFileSync(`/proc/${server.child.pid}/stat`, 'latin1'))
}

function sysctl(...args: readonly string[]): string {
  return execFileSync('sysctl', args, { encoding: 'utf8' })
}
