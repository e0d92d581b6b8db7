import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import pino from 'pino'
import t from 'tap'
import { startApp } from '../src/app.ts'
import { loadConfig } from '../src/config/load.ts'
import { realSurroundings } from '../src/config/surroundings.ts'
import type { Mac } from '../src/net/mac.ts'
import { downloadByTftp } from '../src/sim/tftp-download.ts'
import { listeningOf } from './support/listening.ts'
import { ROOT, ServerProcess, START_SCRIPT } from './support/server-process.ts'
import { scratchDir } from './support/store-world.ts'

const MIB = 1024 * 1024

t.test(
  'without a configuration: loopback only, no DHCP, and the next command is named',
  { timeout: 120_000 },
  async (t) => {
    const dir = scratchDir(t)
    const env = {
      PATH: process.env.PATH,
      HOME: dir,
      PILOTLIGHT_DATA_DIR: path.join(dir, 'data'),
      // The two ports of its own defaults may be in use on this machine.
      PILOTLIGHT_BOOT_PORT: '18480',
      PILOTLIGHT_API_LISTEN: '127.0.0.1:18490',
    }
    const child = spawn(process.execPath, [START_SCRIPT, 'serve'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    let said = ''
    for await (const chunk of child.stdout) {
      said += chunk
      if (said.includes('Pilotlight is serving')) break
    }
    t.match(said, /loopback only, DHCP off; write one with pilotlight init/)
    t.match(said, /no loaders: .*manifest.json is not there; install them: pilotlight assets install/)
    t.same([...listeningOf(child.pid ?? 0)].sort(), ['tcp 127.0.0.1:18480', 'tcp 127.0.0.1:18490'])
    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    t.equal(code, 0)
  },
)

t.test(
  'SIGTERM: running transfers are finished, nothing new is taken, no acknowledged lease is lost',
  { timeout: 120_000 },
  async (t) => {
    const server = await ServerProcess.start(t, { unknownMachines: 'discover' })
    const url = await imageUrl(server, 24 * MIB)
    const slow = await beginDownload(url)
    const leases = takeLeasesUntilSilence(server)
    await leases.first
    server.signal('SIGTERM')
    await server.untilLogged('stopping')
    slow.resume()
    await untilRefused(server)
    t.equal(await slow.received, 24 * MIB, 'the image that was on its way arrives whole')
    t.same(await server.ended(), { code: 0, signal: null })
    t.notOk(existsSync(path.join(server.dataDir, 'pilotlight.db-wal')), 'the log is folded into the database')
    const granted = await leases.ended()
    const db = new Database(path.join(server.dataDir, 'pilotlight.db'), { readonly: true })
    const known = db.prepare('SELECT address FROM lease WHERE mac = ?').pluck()
    t.ok(granted.size > 0)
    for (const [mac, address] of granted) t.equal(known.get(mac), address, mac)
    db.close()
  },
)

t.test('SIGTERM: a TFTP transfer that is on its way is finished too', { timeout: 120_000 }, async (t) => {
  const server = await ServerProcess.start(t)
  const before = server.logged.length
  const download = downloadByTftp({
    server: server.address,
    port: server.tftpPort,
    file: 'undionly.kpxe',
    localAddress: server.addressOf(1),
    probesFirst: false,
    blockBytes: 8,
  })
  // 70,000 bytes in blocks of 8: thousands of round trips, of which some are over when the signal comes.
  await new Promise((resolve) => setTimeout(resolve, 50))
  server.signal('SIGTERM')
  await t.resolves(download)
  t.same(await server.ended(), { code: 0, signal: null })
  t.ok(server.logged.length > before)
})

t.test(
  'SIGTERM: a transfer that does not move is cut when its time is over',
  { timeout: 120_000 },
  async (t) => {
    const server = await ServerProcess.start(t)
    const slow = await beginDownload(await imageUrl(server, 24 * MIB))
    server.signal('SIGTERM')
    t.same(await server.ended(), { code: 0, signal: null })
    slow.resume()
    t.not(await slow.received, 24 * MIB)
  },
)

t.test('a second SIGTERM stops at once', { timeout: 120_000 }, async (t) => {
  const server = await ServerProcess.start(t)
  await beginDownload(await imageUrl(server, 24 * MIB))
  server.signal('SIGTERM')
  await server.untilLogged('stopping')
  const again = setInterval(() => server.signal('SIGTERM'), 200)
  const end = await server.ended()
  clearInterval(again)
  t.same(end, { code: 1, signal: null })
  t.notOk(
    server.logged.some(({ msg }) => msg === 'Pilotlight has stopped'),
    'in no order',
  )
})

t.test('a port that is taken: what, where and the cure; exit code 1', { timeout: 120_000 }, async (t) => {
  const server = new ServerProcess(t)
  const occupier = net.createServer().listen(6080, server.address)
  t.teardown(() => void occupier.close())
  await once(occupier, 'listening')
  server.spawn()
  t.same(await server.ended(), { code: 1, signal: null })
  const said = server.output.join('\n')
  t.match(said, `boot HTTP cannot listen on ${server.address}:6080 (EADDRINUSE)`)
  t.match(said, /cure: another program has it/)
  t.notMatch(said, /\n {4}at /, 'no stack: it is no bug')
})

t.test('a start that fails leaves nothing open', { timeout: 120_000 }, async (t) => {
  const server = new ServerProcess(t)
  const occupier = net.createServer().listen(6090, server.address)
  t.teardown(() => occupier.close())
  await once(occupier, 'listening')
  const config = loadConfig(server.configFile, realSurroundings(ROOT, existsSync))
  const before = listeningOf(process.pid)
  const log = pino({ level: 'silent' })
  await t.rejects(startApp({ config, log, programDir: ROOT }), { code: 'port-unavailable' })
  t.same(listeningOf(process.pid), before)
  const db = new Database(path.join(server.dataDir, 'pilotlight.db'))
  t.doesNotThrow(() => db.exec('BEGIN EXCLUSIVE; ROLLBACK'), 'the database is let go')
  db.close()
  occupier.close()
  await once(occupier, 'close')
  const app = await startApp({ config, log, programDir: ROOT })
  await app.stop()
  t.pass('and the next start succeeds')
})

t.test(
  'a socket file that a killed server left behind does not stop the next one',
  { timeout: 120_000 },
  async (t) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-socket-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    const file = path.join(dir, 'api.sock')
    const server = new ServerProcess(t, { api: `unix:${file}` })
    await server.start()
    await server.end('SIGKILL')
    t.ok(existsSync(file))
    await server.start()
    t.equal(await statusAt(file), 200)
    const second = new ServerProcess(t, { api: `unix:${file}`, yaml: '', ports: 1000 })
    second.spawn()
    t.same(await second.ended(), { code: 1, signal: null }, 'one that is answered at is not taken away')
    t.equal(await statusAt(file), 200)
  },
)

function statusAt(file: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    http
      .get({ socketPath: file, path: '/healthz' }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      .once('error', reject)
  })
}

/** Imports an image with an initrd of that size; gives the URL of the initrd. */
async function imageUrl(server: ServerProcess, bytes: number): Promise<string> {
  const id = await server.importImage(bytes)
  return `${server.bootUrl}/images/${id}/initrd`
}

/** Asks for a file and stops reading after the first piece. */
async function beginDownload(url: string) {
  const request = http.get(url, { agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.pause()
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  response.pause()
  const received = new Promise<number>((resolve) => {
    response.once('close', () => resolve(bytes))
    response.once('error', () => resolve(bytes))
  })
  return { received, resume: () => void response.resume() }
}

function takeLeasesUntilSilence(server: ServerProcess) {
  const granted = new Map<Mac, string>()
  const over = new AbortController()
  let sayFirst: () => void = () => undefined
  const first = new Promise<void>((resolve) => {
    sayFirst = resolve
  })
  const ended = (async () => {
    for (let n = 0; n < 60 && !over.signal.aborted; n += 1) {
      const mac = `02:57:00:00:00:${n.toString(16).padStart(2, '0')}` as Mac
      try {
        granted.set(mac, (await server.lease(mac, 'ipxe-bios', { signal: over.signal })).address)
        sayFirst()
      } catch {
        return
      }
    }
  })()
  return {
    first,
    async ended() {
      over.abort()
      await ended
      return granted
    },
  }
}

/** Waits until nobody is let in any more. */
async function untilRefused(server: ServerProcess): Promise<void> {
  for (;;) {
    const socket = net.connect(6080, server.address)
    const isIn = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (!isIn) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
