import path from 'node:path'
import type { Program } from '../support/dhcp-netns.ts'
import { Figures } from './figures.ts'
import { ARMED_SCRIPT } from './files/armed-machines.ts'
import { FileLink, residentMib } from './files/file-link.ts'
import { roundsOf, withServer } from './files/run-server.ts'
import {
  DHCP_CLIENTS,
  FASTIFY_STATIC,
  type FileServer,
  nginx,
  pilotlight,
  writeFiles,
} from './files/servers.ts'
import { atLeast, atMost, type BenchOptions, type BenchResult } from './report.ts'

const MIB = 1024 * 1024
const FEW = '512 MiB, 8 clients'
const SOME = '512 MiB, 64 clients'
const MANY = '10 MiB, 1,000 clients'
const SCRIPTS = 'scripts, 64 clients'
const MINTS = 'scripts with a token, 64 clients'
const CONNECTIONS = '1,000 new connections at once'
const DHCP_ALONE = 'DHCP, 8 at once'
const DHCP_BESIDE = 'DHCP, 8 at once beside 64 streams'
/** A machine that is registered and not armed: a decision, and the parking script. */
const PARKING = '/boot/02:00:00:00:00:01.ipxe?uuid=4c4c4544-0051-3010-8052-b4c04f564231'

/**
 * Image files over HTTP against nginx and @fastify/static: 512 MiB to 8 and 64 clients, 10 MiB to 1,000; boot scripts
 * and new connections; and DHCP while images go out. Every server has sent each file once before it is measured.
 *
 * `--rounds=3`; `--quick` moves an eighth; `--only=files,scripts,dhcp` does a part.
 */
export async function bench({ say, args }: BenchOptions): Promise<BenchResult> {
  const figures = new Figures()
  const link = await FileLink.open(say)
  const part = args.includes('--quick') ? 8 : 1
  const only = args
    .find((arg) => arg.startsWith('--only='))
    ?.slice('--only='.length)
    .split(',')
  const isWanted = (work: string) => only === undefined || only.includes(work)
  const directory = path.join(link.workDir, 'files')
  writeFiles(directory, { big: (512 * MIB) / part, small: (10 * MIB) / part, script: 1024 })
  const own = pilotlight('pilotlight', 'boot: { max_streams: 1000 }\n', 'authoritative')
  const cached = pilotlight('pilotlight, cache 640 MiB', 'boot: { max_streams: 1000, cache_mib: 640 }\n')
  const uncached = pilotlight('pilotlight, no cache', 'boot: { max_streams: 1000, cache_mib: 0 }\n')
  const fastNginx = nginx('nginx', 'on')
  const servers = isWanted('files')
    ? [own, fastNginx, nginx('nginx, sendfile off', 'off'), FASTIFY_STATIC, cached, uncached]
    : isWanted('scripts')
      ? [own, fastNginx]
      : [own]
  try {
    for (let round = 1; round <= roundsOf(args); round += 1) {
      for (const server of servers) {
        await withServer(link, server, directory, async (program) => {
          const measure = async (work: string, file: string, slots: number, transfers: number) => {
            const wish = { port: server.port, path: server.urlOf(file), slots, transfers }
            const got = await link.http(program, wish)
            const rate = got.bytes / 1e6 / got.seconds
            figures.add(work, server.name, rate, 'MB/s')
            figures.add(`${work}, p99/p50`, server.name, got.p99Ms / got.p50Ms, '')
            figures.add(`${work}, CPU`, server.name, got.cpuSecondsPerGb, 's/GB')
            say(
              `round ${round}, ${work}, ${server.name}: ${rate.toFixed(0)} MB/s, ${got.errors} errors, ` +
                `p50 ${got.p50Ms.toFixed(0)} ms, p99 ${got.p99Ms.toFixed(0)} ms, CPU ${got.cpuSecondsPerGb.toFixed(2)} s/GB`,
            )
          }
          const warm = { port: server.port, slots: 1, transfers: 1 }
          for (const file of ['big', 'small']) await link.http(program, { ...warm, path: server.urlOf(file) })
          if (isWanted('files')) {
            await measure(FEW, 'big', 8, 16)
            await measure(SOME, 'big', 64, 64)
            await measure(MANY, 'small', 1000, 1000)
            figures.add('resident after it', server.name, residentMib(program), 'MiB')
          }
          if (server === own && isWanted('dhcp')) await measureDhcp(link, own, program, figures, say)
          if (!isWanted('scripts')) return
          const url = server === own ? PARKING : server === fastNginx ? server.urlOf('script') : undefined
          if (url !== undefined) await measureScripts(link, server, program, url, figures, say)
          if (server === own) await measureMints(link, own, program, figures, say)
        })
      }
    }
  } finally {
    await link.close()
  }
  return { rows: figures.rows(), targets: targetsOf(figures, own) }
}

async function measureScripts(
  link: FileLink,
  { name, port }: FileServer,
  program: Program,
  url: string,
  figures: Figures,
  say: BenchOptions['say'],
): Promise<void> {
  await link.http(program, { port, path: url, slots: 64, transfers: 5000 })
  const scripts = await link.http(program, { port, path: url, slots: 64, transfers: 40_000 })
  const connections = await link.http(program, { port, path: url, slots: 1000, transfers: 1000 })
  const rate = 40_000 / scripts.seconds
  figures.add(SCRIPTS, name, rate, 'req/s')
  figures.add(`${SCRIPTS}, CPU`, name, scripts.cpuUsEach, 'us each')
  figures.add(`${CONNECTIONS}, p99`, name, connections.p99Ms, 'ms')
  const errors = scripts.errors + connections.errors
  say(
    `${SCRIPTS}, ${name}: ${rate.toFixed(0)} req/s; ${CONNECTIONS}: p99 ${connections.p99Ms.toFixed(0)} ms; ` +
      `${errors} errors`,
  )
}

/** Scripts of armed machines, each with a token that is on the disk before the answer leaves. */
async function measureMints(
  link: FileLink,
  { name, port }: FileServer,
  program: Program,
  figures: Figures,
  say: BenchOptions['say'],
): Promise<void> {
  const wish = { port, path: ARMED_SCRIPT, slots: 64 }
  await link.http(program, { ...wish, transfers: 2000 })
  const got = await link.http(program, { ...wish, transfers: 16_000 })
  const rate = 16_000 / got.seconds
  figures.add(MINTS, name, rate, 'req/s')
  figures.add(`${MINTS}, CPU`, name, got.cpuUsEach, 'us each')
  figures.add(`${MINTS}, p99`, name, got.p99Ms, 'ms')
  say(`${MINTS}, ${name}: ${rate.toFixed(0)} req/s, p99 ${got.p99Ms.toFixed(0)} ms, ${got.errors} errors`)
}

/** DISCOVER to ACK of registered machines, before and while 64 readers take images. */
async function measureDhcp(
  link: FileLink,
  { name, port, urlOf }: FileServer,
  program: Program,
  figures: Figures,
  say: BenchOptions['say'],
): Promise<void> {
  const wish = { exchanges: 2000, outstanding: 8, clients: DHCP_CLIENTS }
  await link.dhcp(wish)
  for (const work of [DHCP_ALONE, DHCP_BESIDE]) {
    let isOver = false
    const reading = async () => {
      while (!isOver) await link.http(program, { port, path: urlOf('small'), slots: 64, transfers: 640 })
    }
    const readers = work === DHCP_BESIDE ? reading() : undefined
    const { p50Ms, p99Ms, resends } = await link.dhcp(wish)
    isOver = true
    await readers
    figures.add(`${work}, p50`, name, p50Ms, 'ms')
    figures.add(`${work}, p99`, name, p99Ms, 'ms')
    say(`${work}: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${resends} resends`)
  }
}

function targetsOf(figures: Figures, { name }: FileServer) {
  const ratio = (work: string, peer: string) => figures.of(work, name) / figures.of(work, peer)
  const targets = [
    atLeast('64 clients, of nginx', ratio(SOME, 'nginx'), 0.75),
    atLeast('64 clients, of nginx without sendfile', ratio(SOME, 'nginx, sendfile off'), 1),
    atLeast('64 clients, of @fastify/static', ratio(SOME, '@fastify/static'), 2),
    atMost('CPU per GB, of nginx', ratio(`${SOME}, CPU`, 'nginx'), 1.2),
    atLeast('1,000 clients, of nginx', ratio(MANY, 'nginx'), 0.4),
    atMost('1,000 clients, p99/p50', figures.of(`${MANY}, p99/p50`, name), 1.3),
    atMost('DHCP p99 beside 64 streams, ms', figures.of(`${DHCP_BESIDE}, p99`, name), 20),
    atLeast(
      'scripts that mint nothing, of nginx static',
      figures.of(SCRIPTS, name) / figures.of(SCRIPTS, 'nginx'),
      0.3,
    ),
    atLeast('scripts that mint a token, req/s', figures.of(MINTS, name), 8000),
    atMost('1,000 new connections, p99, ms', figures.of(`${CONNECTIONS}, p99`, name), 250),
    atMost('resident beyond the cache of 256 MiB, MiB', figures.of('resident after it', name) - 256, 250),
  ]
  // What --only left out has no figures.
  return targets.filter(({ got }) => !Number.isNaN(got))
}
