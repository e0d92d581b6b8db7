import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import t, { type Test } from 'tap'
import { writeTarHeader } from '../../src/servers/images/tar-header.ts'
import { aKernel, netbootScript, setFiles, writeFiles } from '../support/image-files.ts'
import { ServerProcess, type ServerWish, START_SCRIPT } from '../support/server-process.ts'

const MIB = 1024 * 1024
const isRoot = process.getuid?.() === 0
const patient = { timeout: 180_000 }

interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** One server for all that leaves it as it was: starting one takes seconds on a busy machine. */
let shared: ReturnType<typeof setUp> | undefined

function onShared(): ReturnType<typeof setUp> {
  shared ??= setUp(t)
  return shared
}

async function setUp(t: Pick<Test, 'teardown'>, wish: ServerWish = {}) {
  const server = await ServerProcess.start(t, wish)
  const cli = (...args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [START_SCRIPT, 'image', ...args], {
      env: { ...process.env, PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: server.token },
    })
  const names = (where: string) => readdirSync(path.join(server.seenDataDir, 'images', where))
  const set = (name: string, files = setFiles()) => writeFiles(path.join(server.workDir, name), files)
  /** A set of half a gibibyte that takes no room: its initrd is a hole. */
  const bigSet = () => {
    const directory = set('big')
    truncateSync(path.join(directory, 'initrd'), 512 * MIB)
    return directory
  }
  /** Waits until an import has begun to write. */
  const untilWriting = () =>
    until(() =>
      names('staging').some(
        (name) => readdirSync(path.join(server.seenDataDir, 'images', 'staging', name)).length > 0,
      ),
    )
  return {
    server,
    cli,
    run: (...args: readonly string[]) => result(cli(...args)),
    names,
    set,
    bigSet,
    untilWriting,
  }
}

t.test(
  'import --json prints the id and every file with sha256 and bytes; list, show, promote, verify',
  patient,
  async (t) => {
    const { run, set } = await onShared()
    const files = setFiles()
    const directory = set('set', files)
    const imported = await run(
      'import',
      directory,
      '--name',
      'control-plane',
      '--version',
      '1',
      '--promote',
      '--json',
    )
    t.equal(imported.code, 0, imported.stderr)
    const image = JSON.parse(imported.stdout)
    t.match(image.id, /^[0-9a-f]{16}$/)
    const hashOf = (name: string) => createHash('sha256').update(files[name]!).digest('hex')
    t.strictSame(image.files, [
      { name: 'bzImage', role: 'kernel', bytes: 4096, sha256: hashOf('bzImage') },
      { name: 'initrd', role: 'initrd', bytes: 8192, sha256: hashOf('initrd') },
    ])
    t.equal(imported.stderr, '', 'no progress where nobody looks')
    const onServer = await run('import', directory, '--name', 'b', '--on-server', '--json')
    t.equal(JSON.parse(onServer.stdout).id, image.id, 'the same content by either way')
    const byHand = [
      '--kernel',
      `${directory}/bzImage`,
      '--initrd',
      `${directory}/initrd`,
      '--init',
      '/nix/x/init',
    ]
    t.match(
      JSON.parse((await run('import', '--name', 'c', ...byHand, '--params', 'quiet a=b', '--json')).stdout),
      {
        init: '/nix/x/init',
        parameters: ['quiet', 'a=b'],
      },
    )
    t.match((await run('list')).stdout, /control-plane:1.* control-plane +available +x86_64 +12288/)
    const shown = (await run('show', 'control-plane')).stdout
    t.match(shown, image.id)
    t.match(shown, /^versions +.*control-plane:1 \(promoted\)/m)
    t.match(shown, /^file +bzImage, 4096 B, sha256 [0-9a-f]{64}$/m, 'whole, to be compared')
    t.match(await run('verify', image.id), { code: 0, stdout: /whole/ })
  },
)

t.test(
  'a refused set says what is wrong and the cure, and ends with 1; a wrong call with 2',
  patient,
  async (t) => {
    const { run, set } = await onShared()
    const mixed = set('mixed', {
      ...setFiles(),
      'netboot.ipxe': netbootScript().replace('initrd initrd', 'initrd other'),
    })
    t.match(await run('import', mixed, '--name', 'x'), {
      code: 1,
      stderr: /two sets were mixed[\s\S]*cure: /,
    })
    const page = set('page', { ...setFiles(), initrd: '<html>' })
    t.match(await run('import', page, '--name', 'x'), { code: 1, stderr: /initrd-unknown[\s\S]*cure: / })
    t.match(await run('import', '--name', 'x'), { code: 2, stderr: /nothing to import/ })
    const good = set('good', setFiles())
    for (const option of ['--squashfs', '--params']) {
      const stderr = new RegExp(`${option} goes with --kernel, --initrd and --init; a PATH brings its own`)
      t.match(await run('import', good, '--name', 'x', option, 'y'), { code: 2, stderr })
    }
    const byHand = ['--kernel', 'k', '--initrd', 'i', '--init', '/init', '--script', 'a.ipxe']
    t.match(await run('import', '--name', 'x', ...byHand), { code: 2, stderr: /--script chooses in a PATH/ })
  },
)

t.test('a bar on the terminal says how far an import is', patient, async (t) => {
  const { server, set } = await onShared()
  const directory = set('set', setFiles(aKernel('x86_64', 3 * MIB)))
  const command = [process.execPath, START_SCRIPT, 'image', 'import', directory, '--name', 'x'].join(' ')
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...process.env, PILOTLIGHT_URL: server.apiUrl, PILOTLIGHT_TOKEN: server.token },
  })
  const { code, stdout } = await result(terminal)
  t.equal(code, 0, stdout)
  t.match(stdout, /\[#+\] 100% +3\.0 of 3\.0 MiB +\S+ MiB\/s +checking and syncing/)
})

t.test('Ctrl-C in an import leaves nothing that is offered, and nothing on the disk', patient, async (t) => {
  const { server, cli, names, bigSet, untilWriting } = await onShared()
  const before = names('blobs')
  const importing = cli('import', bigSet(), '--name', 'big')
  const ended = result(importing)
  await untilWriting()
  importing.kill('SIGINT')
  await ended
  await until(() => names('staging').length === 0)
  t.strictSame(names('blobs'), before)
  t.notMatch(JSON.stringify(await server.api('GET', '/images')), /"big"/)
})

t.test(
  'a server that is killed in an import offers nothing of it and clears it away at its start',
  patient,
  async (t) => {
    const { server, cli, run, names, set, bigSet, untilWriting } = await onShared()
    const before = names('blobs')
    const importing = result(cli('import', bigSet(), '--name', 'big'))
    await untilWriting()
    await server.end('SIGKILL')
    t.match(await importing, { code: 3, stderr: /not reachable/ })
    t.equal(names('staging').length, 1, 'the half of it lies there')
    await server.start()
    t.ok(server.logged.some(({ msg }) => msg === 'imports that did not end were cleared away'))
    t.strictSame(names('staging'), [])
    t.strictSame(names('blobs'), before)
    t.notMatch(JSON.stringify(await server.api('GET', '/images')), /"big"/)
    t.equal((await run('import', set('small'), '--name', 'small')).code, 0)
  },
)

t.test(
  'a full disk: no import below 200 MiB, a clean end when it fills in the middle, and /readyz is red',
  { ...patient, skip: isRoot ? false : 'a disk of its own size needs root' },
  async (t) => {
    // Both would have the same address.
    await (await shared)?.server.end('SIGKILL')
    const { server, run, names, set } = await setUp(t, {
      prefix: ({ dataDir }) => [
        ...['/usr/bin/unshare', '--mount', 'sh', '-c'],
        'mkdir -p "$0" && mount -t tmpfs -o size=230m tmpfs "$0" && exec "$@"',
        dataDir,
      ],
      dataDirSeenFromHere: (dataDir, pid) => `/proc/${pid}/root${dataDir}`,
    })
    const ready = async () => {
      const response = await fetch(`${server.apiUrl}/readyz`)
      return (await response.json()) as { problems: string[] }
    }
    const isRed = async () =>
      (await ready()).problems.some((problem) => /the data disk has \d+ MiB free/.test(problem))
    t.notOk(await isRed())
    const large = set('large', setFiles(aKernel('x86_64', 40 * MIB)))
    t.match(
      await run('import', large, '--name', 'x'),
      { code: 1, stderr: /disk-full[\s\S]*cure: free space/ },
      'told beforehand',
    )
    t.strictSame([...names('staging'), ...names('blobs')], [])

    const upload = http.request(`${server.apiUrl}/api/v1/images/uploads?name=x`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/x-tar' },
    })
    const answered = once(upload, 'response') as Promise<[http.IncomingMessage]>
    upload.write(writeTarHeader('bzImage', 20 * MIB))
    upload.write(aKernel('x86_64', MIB))
    const partBytes = () => {
      const [importing] = names('staging')
      const part = path.join(server.seenDataDir, 'images', 'staging', importing ?? 'none', '1.part')
      return statSync(part, { throwIfNoEntry: false })?.size ?? 0
    }
    await until(() => partBytes() >= MIB)
    const ballast = path.join(server.seenDataDir, 'ballast')
    fillUp(ballast)
    t.ok(await isRed())
    upload.write(Buffer.alloc(2 * MIB))
    const [answer] = await answered
    t.equal(answer.statusCode, 507)
    answer.resume()
    upload.on('error', () => undefined)
    upload.destroy()
    t.strictSame([...names('staging'), ...names('blobs')], [])
    const small = set('small')
    t.match(await run('import', small, '--name', 'x', '--on-server'), { code: 1, stderr: /disk-full/ })
    rmSync(ballast)
    t.notOk(await isRed())
    t.equal((await run('import', small, '--name', 'x')).code, 0, 'with space again all goes on')
  },
)

async function result(child: ChildProcess): Promise<Said> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Waits for what another process does; ends the test by its own time limit when it never comes. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** Takes every byte that is left. */
function fillUp(file: string): void {
  writeFileSync(file, '')
  for (let chunk = 4 * MIB; chunk >= 1; chunk = Math.floor(chunk / 4)) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(chunk))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  const { bavail } = statfsSync(path.dirname(file))
  if (bavail !== 0) throw new Error(`${bavail} blocks are still free`)
}
