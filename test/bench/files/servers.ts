import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Image } from '../../../src/model/image.ts'
import { unpackedPackages } from '../../support/debian-programs.ts'
import type { Program } from '../../support/dhcp-netns.ts'
import { registerMachines } from '../dhcp/servers.ts'
import { armMachines, arrange } from './armed-machines.ts'
import { type FileLink, RELAYED_NET, SERVER_ADDRESS } from './file-link.ts'

const PROGRAM_DIR = path.join(import.meta.dirname, '..', '..', '..')

/** A server that is to be measured, over one directory of files. */
export interface FileServer {
  readonly name: string
  readonly port: number
  /** The path in the URL of a file of the directory. */
  urlOf(file: string): string
  start(link: FileLink, directory: string, workDir: string): Promise<Program>
}

const plain = (file: string) => `/${file}`

export const TFTPD_HPA: FileServer = {
  name: 'tftpd-hpa',
  port: 69,
  urlOf: plain,
  async start(link, directory) {
    const root = await unpackedPackages(['tftpd-hpa'])
    const args = ['-L', '-u', 'root', '-a', `${SERVER_ADDRESS}:69`, '-s', directory]
    return ready(link, 'u', 69, [`${root}/usr/sbin/in.tftpd`, ...args])
  },
}

export const ATFTPD: FileServer = {
  name: 'atftpd',
  port: 69,
  urlOf: plain,
  async start(link, directory) {
    const root = await unpackedPackages(['atftpd'])
    const args = ['--daemon', '--no-fork', '--user', 'root.root', '--bind-address', SERVER_ADDRESS]
    const more = ['--maxthread', '2000', '--verbose=0', '--logfile', '/dev/null', directory]
    return ready(link, 'u', 69, [`${root}/usr/sbin/atftpd`, ...args, ...more])
  },
}

export const DNSMASQ: FileServer = {
  name: 'dnsmasq',
  port: 69,
  urlOf: plain,
  start: (link, directory) =>
    ready(link, 'u', 69, [
      ...[
        'dnsmasq',
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        '--port=0',
        '--interface=s0',
        '--user=root',
      ],
      ...['--bind-interfaces', '--enable-tftp', `--tftp-root=${directory}`, '--tftp-max=2000', '--pid-file'],
      '--log-facility=/dev/null',
    ]),
}

/** A loader as large as real ones: with gigabytes of them the self-test at the start would be part of what is measured. */
const MAX_LOADER_BYTES = 4 * 1024 * 1024
const READY_WITHIN_MS = 120_000
/** How many machines are registered where DHCP answers, 02:00:00:00:00:01 and on. */
export const DHCP_CLIENTS = 1000
/** What the armed machines boot: a set of two small files. */
const ARMED_IMAGE = '00000000000000bb'

/** Pilotlight as it is installed, with the files of the directory as one image, and the small ones as loaders too. */
export function pilotlight(
  name = 'pilotlight',
  keys = '',
  dhcp: 'off' | 'authoritative' = 'off',
): FileServer {
  return {
    name,
    port: 8080,
    urlOf: (file) => `/images/00000000000000aa/${file}`,
    async start(link, directory, workDir) {
      const manifest = JSON.parse(readFileSync(path.join(directory, 'manifest.json'), 'utf8')) as Manifest
      await storeImage(path.join(workDir, 'data'), directory, manifest)
      if (dhcp !== 'off') {
        await registerMachines(
          path.join(workDir, 'data'),
          Array.from({ length: DHCP_CLIENTS }, (_, n) => n + 1),
        )
        await armMachines(path.join(workDir, 'data'), DHCP_CLIENTS, ARMED_IMAGE)
      }
      const config = path.join(workDir, 'pilotlight.yaml')
      const assets = path.join(workDir, 'assets')
      const api = path.join(workDir, 'api.sock')
      linkLoaders(assets, directory, manifest)
      writeFileSync(
        config,
        `data_dir: ${path.join(workDir, 'data')}\nassets_dir: ${assets}\ninterface: s0\n` +
          `server_address: ${SERVER_ADDRESS}\napi: { listen: "unix:${api}" }\n` +
          `log: { format: json, level: warn }\ndhcp: { mode: "${dhcp}" }\n` +
          `subnets:\n  - { cidr: 10.90.0.0/20 }\n` +
          `  - { cidr: ${RELAYED_NET}, pool: 10.100.1.0-10.101.255.250 }\n${keys}`,
      )
      const command = [
        process.execPath,
        path.join(PROGRAM_DIR, 'src', 'start.js'),
        'serve',
        '--config',
        config,
      ]
      await ready(link, 'u', 69, command)
      const program = await ready(link, 't', 8080, undefined)
      await selfTested(api, program)
      return program
    },
  }
}

/** Waits until the server has fetched every file from itself. */
async function selfTested(socketPath: string, program: Program): Promise<void> {
  const until = performance.now() + READY_WITHIN_MS
  let said = ''
  while (performance.now() < until) {
    said = await new Promise<string>((resolve) => {
      http
        .get({ socketPath, path: '/readyz' }, async (response) => {
          const body = await text(response)
          resolve(response.statusCode === 200 ? 'ready' : body)
        })
        .once('error', (error) => resolve(error.message))
    })
    if (said === 'ready') return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`the server is not ready: ${said}\n${program.text}`)
}

function linkLoaders(assets: string, directory: string, { files }: Manifest): void {
  mkdirSync(assets)
  const small = files.filter(({ bytes }) => bytes <= MAX_LOADER_BYTES)
  for (const { name } of small) symlinkSync(path.join(directory, name), path.join(assets, name))
  writeFileSync(
    path.join(assets, 'manifest.json'),
    JSON.stringify({ version: 1, source: 'bench', files: small }),
  )
}

export function nginx(name: string, sendfile: 'on' | 'off'): FileServer {
  return {
    name,
    port: 8080,
    urlOf: plain,
    async start(link, directory, workDir) {
      const root = await unpackedPackages(['nginx'])
      const config = path.join(workDir, 'nginx.conf')
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((kind) => `${kind}_temp_path ${workDir}/${kind};`)
        .join('\n')
      writeFileSync(
        config,
        `daemon off;\nuser root;\nworker_processes 2;\npid ${workDir}/pid;\nerror_log stderr crit;\n` +
          `events { worker_connections 4096; }\nhttp {\naccess_log off;\n${temporary}\nsendfile ${sendfile};\n` +
          `server { listen ${SERVER_ADDRESS}:8080 backlog=4096; root ${directory}; }\n}\n`,
      )
      return ready(link, 't', 8080, [`${root}/usr/sbin/nginx`, '-p', workDir, '-c', config])
    },
  }
}

export const FASTIFY_STATIC: FileServer = {
  name: '@fastify/static',
  port: 8080,
  urlOf: plain,
  start: (link, directory) =>
    ready(link, 't', 8080, [
      process.execPath,
      path.join(import.meta.dirname, 'static-server.ts'),
      directory,
      SERVER_ADDRESS,
    ]),
}

interface Manifest {
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[]
}

/** Writes random files, with a manifest as `pilotlight assets install` leaves it. */
export function writeFiles(directory: string, sizes: Readonly<Record<string, number>>): void {
  mkdirSync(directory, { recursive: true })
  const files = Object.entries(sizes).map(([name, bytes]) => {
    const content = Buffer.alloc(bytes)
    for (let at = 0; at + 4 <= bytes; at += 4096) content.writeUInt32LE(at, at)
    writeFileSync(path.join(directory, name), content)
    return { name, source_name: name, bytes, sha256: createHash('sha256').update(content).digest('hex') }
  })
  writeFileSync(path.join(directory, 'manifest.json'), JSON.stringify({ version: 1, source: 'bench', files }))
}

async function storeImage(dataDir: string, directory: string, { files }: Manifest): Promise<void> {
  mkdirSync(path.join(dataDir, 'images', 'blobs'), { recursive: true })
  for (const { name, sha256 } of files)
    symlinkSync(path.join(directory, name), path.join(dataDir, 'images', 'blobs', sha256))
  const image: Image = {
    id: '00000000000000aa',
    name: 'bench',
    version: '1',
    architecture: 'x86_64',
    init: '/init',
    parameters: [],
    files: files.map(({ name, bytes, sha256 }) => ({ name, role: 'squashfs', bytes, sha256 })),
    createdAtMs: 0,
    state: 'available',
  }
  const armed: Image = {
    ...image,
    id: ARMED_IMAGE,
    name: 'armed',
    files: files
      .filter(({ name }) => name === 'script')
      .flatMap(({ bytes, sha256 }) => [
        { name: 'bzImage', role: 'kernel', bytes, sha256 },
        { name: 'initrd', role: 'initrd', bytes, sha256 },
      ]),
  }
  await arrange(
    dataDir,
    [image, ...(armed.files.length === 0 ? [] : [armed])].map((one) => ({ kind: 'put-image', image: one })),
  )
}

const started = new WeakMap<FileLink, Program>()

/** Starts a program and waits until its port is bound; without a command, waits for another port of the last one. */
async function ready(
  link: FileLink,
  protocol: 'u' | 't',
  port: number,
  command: readonly string[] | undefined,
): Promise<Program> {
  if (command !== undefined) started.set(link, link.namespaces.start(link.serverSide, command))
  const program = started.get(link)
  if (program === undefined) throw new Error('nothing was started')
  for (let tries = 0; tries < 600; tries += 1) {
    if (program.child.exitCode !== null) throw new Error(`the server ended:\n${program.text}`)
    const listening = link.namespaces.inside(link.serverSide, 'ss', `-Hln${protocol}`)
    if (new RegExp(`:${port}\\s`).test(listening)) return program
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no server on port ${port} within 30 s:\n${program.text}`)
}
