import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import os from 'node:os'
import path from 'node:path'
import type { makeServiceCertificates } from '../../../src/rack/service-certificates.ts'

export const FIRST_BOOT = new URL('../../../boot-assets/first-boot', import.meta.url).pathname

/** What a machine's file system is to the scripts: directories of their own, and the argv of every curl and jq. */
export class NodeWorld {
  readonly directory: string
  readonly address: string
  readonly #running = new Set<ChildProcess>()

  private constructor(directory: string, address: string) {
    this.directory = directory
    this.address = address
  }

  /** `ports` are those of its services: `localhost` in a health URL is this machine. */
  static async create(address: string, ports: readonly number[]): Promise<NodeWorld> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'pilotlight-node-'))
    const world = new NodeWorld(directory, address)
    await mkdir(path.join(directory, 'bin'))
    for (const tool of ['curl', 'jq']) {
      const wrapper = `#!/bin/sh\nprintf '%s\\n' "${tool} $*" >>'${directory}/argv.log'\nexec /usr/bin/${tool} "$@"\n`
      await writeFile(path.join(directory, 'bin', tool), wrapper, { mode: 0o755 })
    }
    const resolve = ports.map((port) => `resolve = "localhost:${port}:${address}"`)
    await writeFile(path.join(directory, '.curlrc'), [`interface = "${address}"`, ...resolve, ''].join('\n'))
    return world
  }

  /** Leaves a configuration as `fetch-config.sh` does, without a server. */
  async setBoot(values: Readonly<Record<string, string | number>>): Promise<void> {
    await mkdir(path.join(this.directory, 'run'), { recursive: true })
    await writeFile(path.join(this.directory, 'run', 'report-auth'), 'Authorization: Bearer t\n')
    const lines = Object.entries(values).map(([name, value]) => `${name}='${value}'\n`)
    await writeFile(path.join(this.directory, 'run', 'boot.env'), lines.join(''))
  }

  /** A program of this machine, instead of the real one. */
  async setProgram(name: string, text: string): Promise<void> {
    await writeFile(path.join(this.directory, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  }

  /** Runs commands after what `lib.sh` and `health.sh` give, as a script of the node would. */
  async story(commands: string, more: NodeJS.ProcessEnv = {}) {
    const script = path.join(this.directory, 'story.sh')
    const head = `here=${FIRST_BOOT}\n. $here/lib.sh\n. $here/health.sh\nload_boot\n`
    await writeFile(script, `${head}${commands}\n`)
    return this.run(path.relative(FIRST_BOOT, script), [], more)
  }

  /** Nobody waits: `sleep` returns at once. */
  hurry(): Promise<void> {
    return this.setProgram('sleep', 'exit 0')
  }

  async setCommandLine(cmdline: string): Promise<void> {
    await writeFile(path.join(this.directory, 'cmdline'), `${cmdline}\n`)
  }

  /** Runs a script with dash to its end. */
  async run(script: string, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) {
    const env = {
      PATH: `${this.directory}/bin:/usr/bin:/bin`,
      HOME: this.directory,
      CURL_HOME: this.directory,
      PILOTLIGHT_DIR: path.join(this.directory, 'etc'),
      PILOTLIGHT_RUN: path.join(this.directory, 'run'),
      PILOTLIGHT_DATA: path.join(this.directory, 'data'),
      PILOTLIGHT_CMDLINE: path.join(this.directory, 'cmdline'),
      PILOTLIGHT_HEALTH_SECONDS: '20',
      PILOTLIGHT_MEMBER_SECONDS: '20',
      ...more,
    }
    const child = spawn('dash', [path.join(FIRST_BOOT, script), ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#running.add(child)
    child.once('close', () => this.#running.delete(child))
    const out: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => out.push(chunk))
    const [code] = (await once(child, 'close')) as [number]
    return { code, output: Buffer.concat(out).toString() }
  }

  read(name: string): Promise<string> {
    return readFile(path.join(this.directory, name), 'utf8')
  }

  /** A script that still asks, of a test that ran out of time, must not ask for ever. */
  async destroy(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL')
    await rm(this.directory, { recursive: true, force: true })
  }
}

interface Member {
  readonly id: string
  readonly raft_addr: string
  readonly voter: boolean
}

/** Services of one machine over real TLS: they can be founded, joined and asked, and made ill. */
export class FakeServices {
  readonly calls: string[] = []
  readonly bodies: string[] = []
  role = 'none'
  members: Member[] = []
  health: Record<string, unknown> = {
    status: 'healthy',
    chainfire: 'connected',
    database: 'connected',
    version: '1.0.0',
  }
  hasAdmin = false
  followers: FakeServices[] = []
  readonly #servers: https.Server[] = []

  async listen(
    address: string,
    ports: readonly number[],
    identity: ReturnType<typeof makeServiceCertificates>,
  ): Promise<void> {
    for (const port of ports) {
      const server = https.createServer(
        { key: identity.keyPem, cert: identity.certPem },
        (request, response) => {
          const chunks: Buffer[] = []
          request.on('data', (chunk: Buffer) => chunks.push(chunk))
          request.on('end', () => {
            const [status, body] = this.#answer(
              `${request.method} ${request.url}`,
              Buffer.concat(chunks).toString(),
            )
            response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
          })
        },
      )
      server.listen(port, address)
      await once(server, 'listening')
      this.#servers.push(server)
    }
  }

  close(): void {
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
  }

  #answer(call: string, body: string): [number, unknown] {
    this.calls.push(call)
    if (body !== '') this.bodies.push(body)
    switch (call) {
      case 'GET /health':
        return [200, { ...this.health, raft: this.role, cluster_size: this.members.length }]
      case 'GET /cluster/members':
        return [200, { members: this.members }]
      case 'POST /cluster/bootstrap': {
        if (this.role !== 'none') return [409, {}]
        const { member_id: id, raft_addr } = JSON.parse(body)
        this.role = 'leader'
        this.members = [{ id, raft_addr, voter: true }]
        return [201, {}]
      }
      case 'POST /cluster/members': {
        const member = JSON.parse(body) as Member
        if (this.members.some((known) => known.id === member.id)) return [409, {}]
        this.members.push(member)
        for (const follower of this.followers)
          Object.assign(follower, { role: 'follower', members: this.members })
        return [201, {}]
      }
      case 'POST /setup': {
        const status = this.hasAdmin ? 409 : 201
        this.hasAdmin = true
        return [status, {}]
      }
      default:
        return [404, {}]
    }
  }
}
