import { createHash } from 'node:crypto'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { FileHasher } from '../../../src/servers/files/file-hasher.ts'

const IDLE_MS = 100

t.test(
  'the thread that hashes ends when it has nothing to do, and comes back with the next file',
  async (t) => {
    const hasher = new FileHasher(IDLE_MS)
    t.teardown(() => hasher.close())
    t.equal(hasher.isRunning, false, 'no thread before the first file')
    const files = ['one', 'another'].map((content) => {
      const file = path.join(t.testdir(), content)
      writeFileSync(file, content)
      const fd = openSync(file, 'r')
      t.teardown(() => closeSync(fd))
      return { fd, sha256: createHash('sha256').update(content).digest('hex') }
    })
    for (const { fd, sha256 } of files) {
      t.match(await hasher.hash(fd), { sha256 })
      t.equal(hasher.isRunning, true)
      await sleep(5 * IDLE_MS)
      t.equal(hasher.isRunning, false)
    }
    const [{ fd = -1 } = {}] = files
    const together = await Promise.all([hasher.hash(fd), hasher.hash(fd), hasher.hash(fd)])
    for (const { sha256 } of together) t.equal(sha256, files[0]?.sha256)
  },
)

t.test('a file that comes while the idle thread ends is hashed by the next one', async (t) => {
  const hasher = new FileHasher(0)
  t.teardown(() => hasher.close())
  const file = path.join(t.testdir({ file: 'content' }), 'file')
  const fd = openSync(file, 'r')
  t.teardown(() => closeSync(fd))
  for (let turn = 0; turn < 6; turn += 1) {
    const { sha256, error } = await hasher.hash(fd)
    t.equal(error, undefined)
    t.equal(sha256, createHash('sha256').update('content').digest('hex'))
    await sleep(turn % 3)
  }
})

t.test('what cannot be read is an error, and so is what the thread left when it was ended', async (t) => {
  const hasher = new FileHasher(IDLE_MS)
  t.match(await hasher.hash(-1), { error: /EBADF|bad file descriptor|out of range/ })
  const file = path.join(t.testdir({ file: 'content' }), 'file')
  const fd = openSync(file, 'r')
  t.teardown(() => closeSync(fd))
  const asked = hasher.hash(fd)
  await hasher.close()
  const { sha256, error } = await asked
  t.ok(error === 'the hashing thread ended' || sha256 !== undefined, 'an answer in any case')
  t.match(await hasher.hash(fd), { error: 'the hashing thread ended' }, 'and none is begun for it again')
  t.equal(hasher.isRunning, false)
})
