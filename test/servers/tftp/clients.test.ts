import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { serveTftp, sha256, TFTP_SERVER, type TftpWorld } from '../../support/tftp-world.ts'

const run = promisify(execFile)

interface NpmClient {
  get(remote: string, local: string, done: (error: Error | null) => void): void
}

const { createClient } = createRequire(import.meta.url)('tftp') as {
  createClient(options: { host: string; port: number; blockSize?: number; windowSize?: number }): NpmClient
}

/** Files at the edges of a block, and a loader's size. */
const SIZES = { 'ipxe.efi': 850_528, multiple: 512 * 20, empty: 0, one: 1 }

async function setUp(t: Test): Promise<TftpWorld & { directory: string }> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-tftp-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const limits = { workers: 1, maxBlockBytes: 65_464, requestsPerSecond: 0 }
  return { ...(await serveTftp(t, SIZES, limits)), directory }
}

function lacks(program: string): string | false {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return false
  } catch {
    if (process.env.CI === 'true') return false
    return `the program ${program} is not installed`
  }
}

function check(
  t: Test,
  world: TftpWorld & { directory: string },
  file: keyof typeof SIZES,
  how: string,
): void {
  const local = path.join(world.directory, file)
  const got = existsSync(local) ? sha256(readFileSync(local)) : 'nothing'
  t.equal(got, sha256(world.files.get(file) ?? Buffer.alloc(0)), `${file} ${how}`)
  rmSync(local, { force: true })
}

const files = Object.keys(SIZES) as (keyof typeof SIZES)[]

t.test('tftp-hpa', { skip: lacks('tftp') }, async (t) => {
  const world = await setUp(t)
  for (const file of files) {
    await run('tftp', [TFTP_SERVER, `${world.port}`, '-m', 'binary', '-c', 'get', file], {
      cwd: world.directory,
    })
    check(t, world, file, 'in blocks of 512')
  }
})

t.test('tftp-hpa in netascii makes of our line ends its own again', { skip: lacks('tftp') }, async (t) => {
  const world = await setUp(t)
  await run('tftp', [TFTP_SERVER, `${world.port}`, '-m', 'ascii', '-c', 'get', 'ipxe.efi'], {
    cwd: world.directory,
  })
  check(t, world, 'ipxe.efi', 'through netascii and back')
})

t.test('atftp: block sizes from 8 to 65464, and windows', { skip: lacks('atftp') }, async (t) => {
  const world = await setUp(t)
  for (const [blksize, windowsize] of [
    [8, 16],
    [512, 1],
    [1428, 4],
    [1468, 16],
    [1468, 64],
    [16_384, 1],
    [65_464, 1],
  ] as const) {
    for (const file of blksize === 8 ? (['multiple', 'one'] as const) : files) {
      const options = [
        '--option',
        `blksize ${blksize}`,
        '--option',
        `windowsize ${windowsize}`,
        '--option',
        'tsize',
      ]
      await run('atftp', [...options, '--get', '-r', file, '-l', file, TFTP_SERVER, `${world.port}`], {
        cwd: world.directory,
        timeout: 30_000,
      })
      check(t, world, file, `in blocks of ${blksize}, windows of ${windowsize}`)
    }
  }
})

t.test('curl', { skip: lacks('curl') }, async (t) => {
  const world = await setUp(t)
  for (const file of files) {
    for (const blksize of [8, 1432, 65_464]) {
      // curl 7.88 fails on every empty file: it asks for the peer of a socket that it never connected.
      if (file === 'empty' || (blksize === 8 && SIZES[file] > 100_000)) continue
      const url = `tftp://${TFTP_SERVER}:${world.port}/${file}`
      await run('curl', ['-sS', '--tftp-blksize', `${blksize}`, '-o', file, url], { cwd: world.directory })
      check(t, world, file, `in blocks of ${blksize}`)
    }
  }
  const url = `tftp://${TFTP_SERVER}:${world.port}/nothing`
  await t.rejects(run('curl', ['-sS', url], { timeout: 5000 }), { code: 68 }, 'not found, at once')
})

t.test('busybox tftp', { skip: lacks('busybox') }, async (t) => {
  const world = await setUp(t)
  for (const file of files) {
    for (const blksize of [512, 1432, 65_464]) {
      const args = ['tftp', '-g', '-b', `${blksize}`, '-r', file, '-l', file, TFTP_SERVER, `${world.port}`]
      await run('busybox', args, { cwd: world.directory, timeout: 30_000 })
      check(t, world, file, `in blocks of ${blksize}`)
    }
  }
})

t.test('the tftp package of npm', async (t) => {
  const world = await setUp(t)
  for (const file of files) {
    for (const [blockSize, windowSize] of [
      [1468, 1],
      [1468, 4],
      [65_464, 1],
    ] as const) {
      const client = createClient({ host: TFTP_SERVER, port: world.port, blockSize, windowSize })
      await getWithNpmClient(client, file, path.join(world.directory, file))
      check(t, world, file, `in blocks of ${blockSize}, windows of ${windowSize}`)
    }
  }
})

/**
 * This client takes a repeated OACK for an illegal operation (EBADOP), and a machine that is busy for a second makes any
 * server repeat one. Then it asks again, twice at the most; every other error counts.
 */
async function getWithNpmClient(
  client: ReturnType<typeof createClient>,
  file: string,
  local: string,
): Promise<void> {
  for (let triesLeft = 2; ; triesLeft -= 1) {
    const error = await new Promise<unknown>((resolve) => client.get(file, local, resolve))
    if (error === null || error === undefined) return
    if ((error as { code?: unknown }).code !== 'EBADOP' || triesLeft === 0) throw error
  }
}
