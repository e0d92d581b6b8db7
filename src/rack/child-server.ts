import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { installLoaders } from '../servers/files/install-loaders.ts'
import { dyingWithParent, endProcess } from './child-process.ts'
import type { Rack } from './rack.ts'

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 15_000

/** The real server, as a process of its own inside a rack, reachable from outside over a socket file. */
export interface ChildServer {
  /** Where the API is reachable on this machine's loopback. */
  readonly url: string
  readonly token: string
  readonly logFile: string
  readonly dataDir: string
  /** Ends it with kill -9, as a crash would, and starts it again on the same data. */
  killAndRestart(): Promise<void>
  stop(): Promise<void>
}

export interface ChildServerOptions {
  readonly rack: Pick<Rack, 'commandPrefix' | 'serverYaml'>
  readonly workDir: string
  /** Path of `src/start.js`. */
  readonly startScript: string
  readonly loadersFrom: string
}

/** Starts `pilotlight serve` in the rack and waits until it answers. */
export async function startChildServer(options: ChildServerOptions): Promise<ChildServer> {
  const { rack, workDir, startScript } = options
  const dataDir = path.join(workDir, 'data')
  const assetsDir = path.join(workDir, 'loaders')
  const socketFile = path.join(workDir, 'api.sock')
  const configFile = path.join(workDir, 'pilotlight.yaml')
  const logFile = path.join(workDir, 'server.log')
  installLoaders(options.loadersFrom, assetsDir)
  const head = `data_dir: ${dataDir}\nassets_dir: ${assetsDir}\napi: { listen: "unix:${socketFile}" }\nlog: { format: json }\n`
  await writeFile(configFile, head + rack.serverYaml)

  const [command = '', ...args] = dyingWithParent([
    ...rack.commandPrefix,
    process.execPath,
    startScript,
    'serve',
    '--config',
    configFile,
  ])
  const log = createWriteStream(logFile, { flags: 'a' })
  const relay = relayTo(socketFile)
  let child = launch()
  try {
    await untilAnswering(child, socketFile, logFile)
    relay.listen(0, '127.0.0.1')
    await once(relay, 'listening')
  } catch (error) {
    await endProcess(child, STOP_TIMEOUT_MS)
    throw error
  }
  const { port } = relay.address() as net.AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    token: readFileSync(path.join(dataDir, 'admin.token'), 'utf8').trim(),
    logFile,
    dataDir,
    async killAndRestart() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      // A server that was killed leaves its socket file, which nobody may mistake for one that answers.
      await rm(socketFile, { force: true })
      child = launch()
      await untilAnswering(child, socketFile, logFile)
    },
    async stop() {
      relay.close()
      await endProcess(child, STOP_TIMEOUT_MS)
      log.end()
    },
  }

  function launch(): ChildProcess {
    const started = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    started.stdout.pipe(log, { end: false })
    started.stderr.pipe(log, { end: false })
    return started
  }
}

/** A port of this machine's loopback in front of a socket file: namespaces separate ports, not files. */
function relayTo(socketFile: string): net.Server {
  return net.createServer((client) => {
    const upstream = net.connect(socketFile)
    client.pipe(upstream).pipe(client)
    const drop = () => {
      client.destroy()
      upstream.destroy()
    }
    client.on('error', drop).on('close', drop)
    upstream.on('error', drop).on('close', drop)
  })
}

async function untilAnswering(child: ChildProcess, socketFile: string, logFile: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the server did not start:\n${lastLines(logFile)}`)
    if (existsSync(socketFile) && (await canConnect(socketFile))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`the server did not answer within ${START_TIMEOUT_MS / 1000} s:\n${lastLines(logFile)}`)
}

function canConnect(socketFile: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketFile, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function lastLines(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-12).join('\n') : ''
}
