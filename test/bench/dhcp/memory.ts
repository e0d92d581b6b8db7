import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchLink } from './bench-link.ts'
import { type BenchServer, pilotlightYaml, registerMachines, withServer } from './servers.ts'

const MEASURED_SERVER = fileURLToPath(new URL('./measured-server.ts', import.meta.url))
/** Starts it as `pilotlight` is started, with the same flags of V8. */
const STARTER = fileURLToPath(new URL('../../../src/with-node-24.js', import.meta.url))
const MACS = 100_000
const LOOK_AT = [200_000, 400_000, 600_000, 800_000, 1_000_000]

/** Resident size after a forced collection, at numbers of exchanges in all. */
export interface MemoryAt {
  readonly exchanges: number
  readonly rssMiB: number
}

/** A million exchanges from 100,000 MACs in a /15, on one server that does not restart. */
export async function measureMemory(
  link: BenchLink,
  say: (line: string) => void,
): Promise<readonly MemoryAt[]> {
  const server: BenchServer = {
    name: 'pilotlight',
    async start(namespaces, ns, workDir) {
      const config = path.join(workDir, 'pilotlight.yaml')
      mkdirSync(workDir, { recursive: true })
      writeFileSync(config, pilotlightYaml(workDir, 'warn'))
      await registerMachines(
        path.join(workDir, 'data'),
        Array.from({ length: MACS }, (_, client) => client),
      )
      const program = namespaces.start(ns, [
        process.execPath,
        '--expose-gc',
        STARTER,
        MEASURED_SERVER,
        config,
      ])
      await program.line(/^serving$/)
      return program
    },
  }
  return withServer(link.namespaces, link.serverSide, server, async (program) => {
    const found: MemoryAt[] = []
    let done = 0
    for (const exchanges of LOOK_AT) {
      const wish = { mode: 'closed', outstanding: 64, clients: MACS, firstClient: 0 } as const
      const { seconds } = await link.load(program, { ...wish, exchanges: exchanges - done })
      done = exchanges
      program.child.stdin?.write('measure\n')
      const { rssMiB } = JSON.parse(await program.line(/^\{/)) as { rssMiB: number }
      found.push({ exchanges, rssMiB })
      say(
        `memory: ${exchanges} exchanges, ${rssMiB.toFixed(1)} MiB resident (the last part in ${seconds.toFixed(1)} s)`,
      )
    }
    return found
  })
}
