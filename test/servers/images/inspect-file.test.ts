import { createHash, randomBytes } from 'node:crypto'
import { fstatSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import t, { type Test } from 'tap'
import { FileHasher } from '../../../src/servers/files/file-hasher.ts'
import { signatureOf } from '../../../src/servers/files/file-signature.ts'
import { VerifiedFiles } from '../../../src/servers/files/verified-files.ts'
import { inspectFile } from '../../../src/servers/images/inspect-file.ts'

/** Has something done to the file at the end of its first look, after its bytes were read. */
class DisturbedHasher extends FileHasher {
  #then: (() => void) | undefined

  constructor(then: () => void) {
    super()
    this.#then = then
  }

  override async hash(fd: number) {
    const hashed = await super.hash(fd)
    this.#then?.()
    this.#then = undefined
    return { ...hashed, after: signatureOf(fstatSync(fd, { bigint: true })) }
  }
}

function setUp(t: Test, then: (file: string, bytes: Buffer) => void) {
  const file = path.join(t.testdir(), 'blob')
  const bytes = randomBytes(100_000)
  const hasher = new DisturbedHasher(() => then(file, bytes))
  t.teardown(() => hasher.close())
  return { file, bytes, hasher, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function replace(file: string, bytes: Buffer): void {
  writeFileSync(`${file}.new`, bytes)
  renameSync(`${file}.new`, file)
}

t.test('a file that an import replaces by the same bytes meanwhile is whole', async (t) => {
  const { file, bytes, hasher, sha256 } = setUp(t, replace)
  writeFileSync(file, bytes)
  t.equal(await inspectFile(hasher, file, { bytes: bytes.length, sha256 }), undefined)
})

t.test('a rotten file that an import mends meanwhile is whole', async (t) => {
  const { file, bytes, hasher, sha256 } = setUp(t, replace)
  writeFileSync(file, randomBytes(bytes.length))
  t.equal(await inspectFile(hasher, file, { bytes: bytes.length, sha256 }), undefined)
})

t.test('a file that is removed meanwhile cannot be read', async (t) => {
  const { file, bytes, hasher, sha256 } = setUp(t, (blob) => rmSync(blob))
  writeFileSync(file, bytes)
  t.match(await inspectFile(hasher, file, { bytes: bytes.length, sha256 }), /cannot be read \(ENOENT\)/)
})

t.test('no descriptor left says nothing about the file', async (t) => {
  const { file, bytes, hasher, sha256 } = setUp(t, () => undefined)
  writeFileSync(file, bytes)
  const { open } = fs
  t.teardown(() => {
    fs.open = open
    syncBuiltinESMExports()
  })
  fs.open = () => Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }))
  syncBuiltinESMExports()
  await t.rejects(inspectFile(hasher, file, { bytes: bytes.length, sha256 }), { code: 'EMFILE' })
  const broken: string[] = []
  const files = new VerifiedFiles((error) => broken.push(error.message))
  t.teardown(() => files.close())
  await t.rejects(files.open({ path: file, bytes: bytes.length, sha256 }), { code: 'EMFILE' })
  t.strictSame(broken, [])
})
