import { statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { makeDirectory } from '../../src/store/make-directory.ts'

t.test('what is missing is made, the last with its mode, and once more changes nothing', async (t) => {
  const wanted = path.join(t.testdir(), 'a', 'b', 'c')
  makeDirectory(wanted, 0o700)
  makeDirectory(wanted, 0o700)
  t.equal(statSync(wanted).mode & 0o777, 0o700)
  t.equal(statSync(path.dirname(wanted)).mode & 0o700, 0o700)
})

t.test('where nothing can be made it says so, and comes back', async (t) => {
  t.throws(() => makeDirectory('/proc/nothing/here'), { code: 'ENOENT' })
  const file = path.join(t.testdir(), 'file')
  writeFileSync(file, '')
  t.throws(() => makeDirectory(path.join(file, 'below')), { code: 'ENOTDIR' })
  t.throws(() => makeDirectory(path.join(file, 'far', 'below')), { code: 'ENOTDIR' })
  t.throws(() => makeDirectory(file), { code: 'EEXIST' })
})
