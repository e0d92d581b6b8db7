import { createHash, randomBytes } from 'node:crypto'
import {
  fstatSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { FileHasher } from '../../../src/servers/files/file-hasher.ts'
import { signatureOf } from '../../../src/servers/files/file-signature.ts'
import { VerifiedFiles, type WantedFile } from '../../../src/servers/files/verified-files.ts'

function setUp(t: Test, size = 500_000) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-files-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const bytes = randomBytes(size)
  const file = path.join(directory, 'initrd')
  writeFileSync(file, bytes)
  const wanted: WantedFile = {
    path: file,
    bytes: size,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }
  const broken: string[] = []
  const files = new VerifiedFiles((error) => broken.push(error.message))
  t.teardown(() => files.close())
  return { files, wanted, bytes, file, broken }
}

async function readAt(files: VerifiedFiles, wanted: WantedFile, position: number, length: number) {
  const opened = await files.open(wanted)
  try {
    const buffer = Buffer.alloc(length)
    await opened.read(buffer, position)
    return buffer
  } finally {
    opened.close()
  }
}

t.test('a file as it was imported is read from wherever', async (t) => {
  const { files, wanted, bytes, broken } = setUp(t)
  for (const [position, length] of [
    [0, 1],
    [0, 500_000],
    [499_999, 1],
    [1234, 5678],
  ] as const) {
    t.ok((await readAt(files, wanted, position, length)).equals(bytes.subarray(position, position + length)))
  }
  t.strictSame(broken, [])
})

t.test(
  'another byte, fewer, more, or none at all: not one byte is served, and it is said once',
  async (t) => {
    const { files, wanted, bytes, file, broken } = setUp(t)
    const other = Buffer.from(bytes)
    other[250_000] = (other[250_000] ?? 0) ^ 1
    writeFileSync(file, other)
    await t.rejects(files.open(wanted), { code: 'file-broken' })
    t.match(broken, [/has sha256/])
    t.ok(files.brokenness(wanted))
    truncateSync(file, 1000)
    await t.rejects(files.open(wanted), /has 1000 bytes, 500000 were imported/)
    writeFileSync(file, Buffer.concat([bytes, Buffer.from('x')]))
    await t.rejects(files.open(wanted), /500001/)
    rmSync(file)
    await t.rejects(files.open(wanted), /ENOENT/)
    writeFileSync(file, bytes)
    t.ok((await readAt(files, wanted, 0, 10)).equals(bytes.subarray(0, 10)), 'put right, it is served again')
    t.equal(files.brokenness(wanted), undefined)
  },
)

t.test('changed under an open file, even with its times set back: the read fails', async (t) => {
  const { files, wanted, bytes, file } = setUp(t)
  const opened = await files.open(wanted)
  t.teardown(() => opened.close())
  await opened.read(Buffer.alloc(10), 0)
  const { atime, mtime } = statSync(file)
  const handle = await open(file, 'r+')
  await handle.write(Buffer.from([(bytes[300_000] ?? 0) ^ 1]), 0, 1, 300_000)
  await handle.close()
  utimesSync(file, atime, mtime)
  await t.rejects(opened.read(Buffer.alloc(10), 299_999), { code: 'file-broken' })
})

t.test('cut under an open file: the read fails', async (t) => {
  const { files, wanted, file } = setUp(t)
  const opened = await files.open(wanted)
  t.teardown(() => opened.close())
  truncateSync(file, 1000)
  await t.rejects(opened.read(Buffer.alloc(10), 5000), { code: 'file-broken' })
})

t.test('touched and not changed: it is hashed again, and served on', async (t) => {
  const { files, wanted, bytes, file, broken } = setUp(t)
  const opened = await files.open(wanted)
  t.teardown(() => opened.close())
  utimesSync(file, new Date(0), new Date(0))
  const buffer = Buffer.alloc(100)
  await opened.read(buffer, 700)
  t.ok(buffer.equals(bytes.subarray(700, 800)))
  t.strictSame(broken, [])
})

t.test('many who open it at once wait for one hashing', async (t) => {
  const { files, wanted, bytes } = setUp(t, 3_000_000)
  const parts = await Promise.all(Array.from({ length: 40 }, (_, n) => readAt(files, wanted, n * 1000, 1000)))
  t.ok(Buffer.concat(parts).equals(bytes.subarray(0, 40_000)))
})

t.test(
  'a file that is replaced by the same bytes while it is hashed is read again, not broken',
  async (t) => {
    const { files, wanted, bytes, file, broken } = setUp(t)
    hashingWhile(t, () => {
      writeFileSync(`${file}.new`, bytes)
      renameSync(`${file}.new`, file)
    })
    t.ok((await readAt(files, wanted, 0, 1000)).equals(bytes.subarray(0, 1000)))
    t.strictSame(broken, [])
    const hashings = hashingWhile(t, () => utimesSync(file, 1, 1), Number.POSITIVE_INFINITY)
    utimesSync(file, 2, 2)
    await t.rejects(files.open(wanted), { code: 'file-broken' }, 'one that never rests is')
    t.match(broken, [/is being written to/])
    t.ok(hashings() < 10)
  },
)

/** Has something done to the file after its first look and before its last, so many times; gives how often it was hashed. */
function hashingWhile(t: Test, then: () => void, times = 1): () => number {
  const { hash } = FileHasher.prototype
  t.teardown(() => {
    FileHasher.prototype.hash = hash
  })
  let count = 0
  FileHasher.prototype.hash = async function (fd) {
    if (count++ >= times) return hash.call(this, fd)
    const before = signatureOf(fstatSync(fd, { bigint: true }))
    then()
    return { ...(await hash.call(this, fd)), before }
  }
  return () => count
}
