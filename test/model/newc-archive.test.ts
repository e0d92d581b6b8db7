import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { isMachineFilePath, type MachineFile } from '../../src/model/machine-file.ts'
import { writeNewcArchive } from '../../src/model/newc-archive.ts'

function aFile(filePath: string, text: string, mode = 0o644): MachineFile {
  return { path: filePath, mode, content: new TextEncoder().encode(text) }
}

const FILES = [
  aFile('etc/rack/position', 'A7 u12\n'),
  aFile('etc/empty', '', 0o600),
  aFile('run-me', '#!/bin/sh\n', 0o755),
  aFile('etc/rack/a', 'xyz'),
]

t.test('GNU cpio lists directories before what lies in them, and unpacks the bytes and rights', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-cpio-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const input = writeNewcArchive(FILES)
  const listed = execFileSync('cpio', ['-t', '--quiet'], { input }).toString().trim().split('\n')
  t.strictSame(listed, ['etc', 'etc/empty', 'etc/rack', 'etc/rack/a', 'etc/rack/position', 'run-me'])
  execFileSync('cpio', ['-i', '--quiet', '--no-preserve-owner'], { input, cwd: dir })
  for (const { path: name, mode, content } of FILES) {
    t.strictSame(new Uint8Array(readFileSync(path.join(dir, name))), content, name)
    t.equal(statSync(path.join(dir, name)).mode & 0o777, mode, name)
  }
  t.equal(statSync(path.join(dir, 'etc/rack')).mode & 0o777, 0o755)
  const long = execFileSync('cpio', ['-tvn', '--quiet'], { input }).toString()
  t.match(long, /^-rw------- +1 0 +0 +0 .* etc\/empty$/m, 'owner root, no times')
})

t.test('the same files give the same bytes, in whatever order they come', async (t) => {
  t.strictSame(writeNewcArchive([...FILES].reverse()), writeNewcArchive(FILES))
  t.equal(writeNewcArchive(FILES).length % 4, 0)
})

t.test('any contents come back as they were', async () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_]{1,20}$/)
  const files = fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 300 })), {
    selector: ([one]) => one,
    minLength: 1,
    maxLength: 8,
  })
  fc.assert(
    fc.property(files, (entries) => {
      const input = writeNewcArchive(
        entries.map(([one, content]) => ({ path: `d/${one}`, mode: 0o644, content })),
      )
      for (const [one, content] of entries) {
        const got = execFileSync('cpio', ['-i', '--quiet', '--to-stdout', `d/${one}`], { input })
        if (Buffer.compare(got, content) !== 0) return false
      }
      return true
    }),
    { numRuns: 10 },
  )
})

t.test('paths are plain, relative, and replace nothing that starts the system', async (t) => {
  for (const good of ['hostname', 'etc/hostname', 'etc/systemd/network/10-a.network', 'a@b+c'])
    t.ok(isMachineFilePath(good), good)
  const bad = [
    '',
    '/etc/x',
    'etc/',
    'etc//x',
    '../x',
    'etc/../x',
    './x',
    'a b',
    'a\nb',
    'a\\b',
    'ä',
    'a'.repeat(101),
  ]
  for (const path of [...bad, 'init', 'dev/sda', 'proc/x', 'tmp/x', Array(17).fill('a').join('/')])
    t.notOk(isMachineFilePath(path), JSON.stringify(path))
})
