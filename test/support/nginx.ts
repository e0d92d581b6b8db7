import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import type { BootWorld } from './boot-world.ts'
import { unpackedPackages } from './debian-programs.ts'

const PORT = 8082

/** A real nginx with the site that docs/nginx-images.conf has, in front of a world's boot side. */
export class Nginx {
  readonly base: string
  readonly cacheDirectory: string
  readonly #master: ChildProcess

  private constructor(base: string, cacheDirectory: string, master: ChildProcess) {
    this.base = base
    this.cacheDirectory = cacheDirectory
    this.#master = master
  }

  /**
   * @param front The loopback address that it listens on.
   * @param more Lines for its `http` block, beside the documented site.
   */
  static async start(t: Test, world: BootWorld, front: string, more = ''): Promise<Nginx> {
    const root = await unpackedPackages(['nginx'])
    const directory = path.join(world.directory, 'nginx')
    const cache = path.join(directory, 'cache')
    mkdirSync(cache, { recursive: true })
    const documented = readFileSync(new URL('../../docs/nginx-images.conf', import.meta.url), 'utf8')
    const site = documented
      .replaceAll('/var/cache/nginx/pilotlight', cache)
      .replaceAll('10.77.0.2:80', `${front}:${PORT}`)
      .replaceAll('10.77.0.1:8080', `${world.address}:8080`)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
      .join('\n')
    writeFileSync(
      path.join(directory, 'nginx.conf'),
      `daemon off;\nuser root;\nworker_processes 1;\npid ${directory}/pid;\nerror_log stderr warn;\n` +
        `events { worker_connections 1024; }\nhttp {\nlog_format asked '$status $http_range';\naccess_log ${directory}/asked asked;\n${temporary}\n${more}\n${site}\n}\n`,
    )
    const program = path.join(root, 'usr/sbin/nginx')
    const args = ['-p', directory, '-c', path.join(directory, 'nginx.conf')]
    const tested = await promisify(execFile)(program, ['-t', ...args])
    t.match(tested.stderr, /test is successful/)
    const child = spawn(program, args, { stdio: 'inherit' })
    t.teardown(async () => {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    })
    while (!existsSync(path.join(directory, 'pid')) || !(await answers(front))) {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return new Nginx(`http://${front}:${PORT}`, cache, child)
  }

  /** Kills whoever has its connections, as a crash does; the master starts another. */
  killWorkers(): void {
    const { pid } = this.#master
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    for (const child of children) process.kill(Number(child), 'SIGKILL')
  }

  /** What it answered so far, a request a line: status, and the range that was asked for. */
  answered(): readonly string[] {
    return readFileSync(path.join(this.cacheDirectory, '../asked'), 'utf8').trim().split('\n')
  }

  /** The files in its cache, whole and half. */
  cachedFiles(): readonly string[] {
    return readdirSync(this.cacheDirectory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
  }
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(PORT, host, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
