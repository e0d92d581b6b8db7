import path from 'node:path'
import { Figures } from './figures.ts'
import { FileLink } from './files/file-link.ts'
import { roundsOf, withServer } from './files/run-server.ts'
import { ATFTPD, DNSMASQ, type FileServer, pilotlight, TFTPD_HPA, writeFiles } from './files/servers.ts'
import { atLeast, atMost, type BenchOptions, type BenchResult } from './report.ts'

const MIB = 1024 * 1024
const LOCK_STEP = 'lock-step, 64 at once'
const WINDOWED = 'window 16, 64 at once'
const MANY = '1,000 at once'

/**
 * TFTP against tftpd-hpa, dnsmasq and atftpd: 1 MiB, blksize 1432, lock-step and in windows of 16, 64 and 1,000 at once.
 *
 * `--rounds=3`; `--quick` moves a quarter and leaves out the 1,000.
 */
export async function bench({ say, args }: BenchOptions): Promise<BenchResult> {
  const figures = new Figures()
  const link = await FileLink.open(say)
  const directory = path.join(link.workDir, 'files')
  writeFiles(directory, { loader: MIB })
  const own = pilotlight()
  const onMain = pilotlight('pilotlight, no threads', 'tftp: { workers: 0 }\n')
  const part = args.includes('--quick') ? 0.25 : 1
  const one = pilotlight('pilotlight, one thread', 'tftp: { workers: 1 }\n')
  try {
    for (let round = 1; round <= roundsOf(args); round += 1) {
      for (const server of [own, TFTPD_HPA, DNSMASQ, ATFTPD, onMain, one]) {
        await withServer(link, server, directory, async (program) => {
          const measure = async (work: string, slots: number, transfers: number, window: number) => {
            const wish = { file: 'loader', slots, transfers, window }
            const got = await link.tftp(program, wish).catch((error: Error) => error)
            if (got instanceof Error) return say(`round ${round}, ${work}, ${server.name}: ${got.message}`)
            const rate = got.bytes / MIB / got.seconds
            figures.add(work, server.name, rate, 'MiB/s')
            figures.add(`${work}, p99/p50`, server.name, got.p99Ms / got.p50Ms, '')
            figures.add(`${work}, resends`, server.name, got.resends, '')
            if (slots > 100) figures.add(`${work}, time`, server.name, got.seconds, 's')
            say(
              `round ${round}, ${work}, ${server.name}: ${rate.toFixed(0)} MiB/s, ${got.resends} resends, ` +
                `${got.errors} errors, p50 ${got.p50Ms.toFixed(0)} ms, p99 ${got.p99Ms.toFixed(0)} ms`,
            )
          }
          await measure(LOCK_STEP, 64, 384 * part, 1)
          await measure(WINDOWED, 64, 768 * part, 16)
          if (part === 1 && server !== onMain && server !== one) await measure(MANY, 1000, 1000, 1)
        })
      }
    }
  } finally {
    await link.close()
  }
  return { rows: figures.rows(), targets: targetsOf(figures, own) }
}

function targetsOf(figures: Figures, own: FileServer) {
  const ratio = (work: string, peer: FileServer) => figures.of(work, own.name) / figures.of(work, peer.name)
  const targets = [
    atLeast('lock-step, of tftpd-hpa', ratio(LOCK_STEP, TFTPD_HPA), 1),
    atLeast('lock-step, of dnsmasq', ratio(LOCK_STEP, DNSMASQ), 0.6),
    atLeast('window 16, of dnsmasq', ratio(WINDOWED, DNSMASQ), 1),
    atLeast('window 16, of atftpd', ratio(WINDOWED, ATFTPD), 0.65),
    atMost('lock-step, p99/p50', figures.of(`${LOCK_STEP}, p99/p50`, own.name), 1.5),
    atMost('1,000 at once, resends', figures.of(`${MANY}, resends`, own.name), 0),
    atMost('1,000 at once, p99/p50', figures.of(`${MANY}, p99/p50`, own.name), 1.5),
  ]
  // What --quick left out has no figures.
  return targets.filter(({ got }) => !Number.isNaN(got))
}
