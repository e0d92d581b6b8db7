import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { CHUNK_BYTES } from '../../../src/servers/http/chunk-cache.ts'
import { FileDelivery } from '../../../src/servers/http/file-delivery.ts'
import { exchange } from '../../../src/sim/http-exchange.ts'
import { BootWorld } from '../../support/boot-world.ts'

const URL_PATH = '/images/abcdef0123456789/initrd'
const SIZE = 24 * 1024 * 1024

async function setUp(t: Test) {
  const world = new BootWorld()
  world.delivery = new FileDelivery({ cacheBytes: 4 * CHUNK_BYTES })
  t.teardown(() => world.close())
  const { image, bytes } = await world.addImage({ bzImage: 1000, initrd: SIZE })
  await world.serveBoot()
  const { sha256 = '' } = image.files.find(({ name }) => name === 'initrd') ?? {}
  return { world, file: world.images.pathOf(sha256), bytes: bytes.get('initrd') ?? Buffer.alloc(0) }
}

/** Begins to read the file, and does something to it once a first piece has come; gives what came and how it ended. */
async function readWhile(world: BootWorld, then: () => void): Promise<{ got: Buffer; isWhole: boolean }> {
  const request = http.get(`${world.bootUrl}${URL_PATH}`, { localAddress: world.addressOf(1), agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const chunks: Buffer[] = []
  let size = 0
  let isDone = false
  try {
    for await (const chunk of response) {
      chunks.push(chunk)
      size += chunk.length
      if (!isDone && size > CHUNK_BYTES) {
        isDone = true
        then()
      }
    }
  } catch {
    // The connection was cut: that is how a client sees it.
  }
  return { got: Buffer.concat(chunks), isWhole: response.complete }
}

function overwrite(file: string, position: number, bytes: Buffer): void {
  const fd = openSync(file, 'r+')
  writeSync(fd, bytes, 0, bytes.length, position)
  closeSync(fd)
}

t.test(
  'a file that is changed under a transfer: the client is cut off, and what it has is right',
  async (t) => {
    const { world, file, bytes } = await setUp(t)
    const { got, isWhole } = await readWhile(world, () => overwrite(file, SIZE - 100, randomBytes(100)))
    t.notOk(isWhole)
    t.ok(got.length < SIZE)
    t.ok(got.equals(bytes.subarray(0, got.length)), 'not one wrong byte')
    t.equal((await world.ask(1, URL_PATH)).status, 500, 'nobody gets it any more')
    t.equal((await world.ask(1, URL_PATH, { method: 'HEAD' })).status, 500)
    overwrite(file, SIZE - 100, bytes.subarray(SIZE - 100))
    t.ok((await world.ask(1, URL_PATH)).body.equals(bytes), 'put right, it is served again')
  },
)

t.test('an error is not said to last: a cache in front would keep it for a year', async (t) => {
  const { world, file } = await setUp(t)
  const lasting = ({ headers }: Awaited<ReturnType<typeof world.ask>>) =>
    [headers.etag, headers['last-modified'], headers['cache-control']].filter((said) => said !== undefined)
  t.equal(lasting(await world.ask(1, URL_PATH)).length, 3, 'the file itself lasts')
  const refused = await world.ask(1, URL_PATH, { headers: { 'if-match': '"other"' } })
  t.equal(refused.status, 412)
  t.strictSame(lasting(refused), [])
  const beyond = await world.ask(1, URL_PATH, { headers: { range: `bytes=${SIZE}-` } })
  t.equal(beyond.status, 416)
  t.strictSame(lasting(beyond), [])
  overwrite(file, 5, randomBytes(100))
  for (const method of ['GET', 'HEAD'] as const) {
    const broken = await world.ask(1, URL_PATH, { method })
    t.equal(broken.status, 500)
    t.strictSame(lasting(broken), [], method)
  }
})

t.test(
  'a file that was found to differ has its image withdrawn, and no machine boots it any more',
  async (t) => {
    const { world, file } = await setUp(t)
    world.delivery = new FileDelivery({}, (broken, { sha256 }) =>
      world.images.suspect(sha256, broken.message),
    )
    await world.serveBoot({ port: 8083 })
    overwrite(file, 5, randomBytes(100))
    const ask = async () => (await exchange({ url: `http://${world.address}:8083${URL_PATH}` })).status
    t.equal(await ask(), 500)
    while ((await ask()) !== 410) await new Promise((resolve) => setTimeout(resolve, 20))
    t.match(await world.events(), [/image\.withdrawn/])
    t.notMatch((await world.fetchScript(1)).text, /bzImage/)
  },
)

t.test('a file that is cut under a transfer', async (t) => {
  const { world, file, bytes } = await setUp(t)
  const { got, isWhole } = await readWhile(world, () => truncateSync(file, SIZE / 2))
  t.notOk(isWhole)
  t.ok(got.equals(bytes.subarray(0, got.length)))
  t.equal((await world.ask(1, URL_PATH)).status, 500)
})

t.test('a file that is replaced by another of its size', async (t) => {
  const { world, file, bytes } = await setUp(t)
  const { got, isWhole } = await readWhile(world, () => {
    rmSync(file)
    writeFileSync(file, randomBytes(SIZE))
  })
  t.ok(isWhole, 'who had it open still reads the old one')
  t.ok(got.equals(bytes))
  t.equal((await world.ask(1, URL_PATH)).status, 500)
})

t.test('a file that is removed, and one that is a directory', async (t) => {
  const { world, file } = await setUp(t)
  rmSync(file)
  t.equal((await world.ask(1, URL_PATH)).status, 500)
  const { mkdirSync } = await import('node:fs')
  mkdirSync(file)
  t.equal((await world.ask(1, URL_PATH)).status, 500)
})

t.test('a disk that gives errors: cut off in the middle, nothing wrong went out', async (t) => {
  const { world, bytes } = await setUp(t)
  const { files } = world.delivery
  const open = files.open.bind(files)
  // The kernel here has no device that fails on demand; a read that rejects as libuv's does stands for one.
  Object.assign(files, {
    open: async (wanted: Parameters<typeof open>[0]) => {
      const opened = await open(wanted)
      const read = opened.read.bind(opened)
      let reads = 0
      Object.assign(opened, {
        read: (buffer: Uint8Array, position: number) => {
          reads += 1
          return reads > 5
            ? Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }))
            : read(buffer, position)
        },
      })
      return opened
    },
  })
  const { got, isWhole } = await readWhile(world, () => undefined)
  t.notOk(isWhole)
  t.ok(got.equals(bytes.subarray(0, got.length)))
  t.equal(world.delivery.streams.running, 0)
})

t.test(
  'the server is killed in mid-transfer: curl resumes with the next one',
  { timeout: 90_000 },
  async (t) => {
    const world = new BootWorld()
    t.teardown(() => world.close())
    const bytes = randomBytes(SIZE)
    const file = path.join(world.directory, 'big')
    const out = path.join(world.directory, 'out')
    writeFileSync(file, bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const children: ChildProcess[] = []
    t.teardown(() => {
      for (const child of children) child.kill('SIGKILL')
    })
    const start = async () => {
      const program = new URL('../../support/file-server-process.ts', import.meta.url).pathname
      const args = [program, file, `${SIZE}`, sha256, world.address, '8081']
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(child)
      await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
      return child
    }
    const url = `http://${world.address}:8081/file`
    const first = await start()
    const curl = spawn('curl', ['-sS', '--limit-rate', '8M', '-o', out, url], { stdio: 'ignore' })
    const ended = once(curl, 'exit')
    while (sizeOf(out) === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    first.kill('SIGKILL')
    const [code] = await ended
    t.not(code, 0, 'curl says that it is not whole')
    t.ok(sizeOf(out) > 0 && sizeOf(out) < SIZE)
    await start()
    await promisify(execFile)('curl', ['-sS', '-C', '-', '-o', out, url])
    t.ok(readFileSync(out).equals(bytes))
  },
)

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
