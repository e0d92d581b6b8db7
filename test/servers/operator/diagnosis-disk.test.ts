import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import type { DiagnosisAnswer } from '../../../src/cli/print-diagnosis.ts'
import { LoopbackServer } from '../../support/loopback-server.ts'

// A data directory on a file system of its own with 300 MB, most of which a file then takes: full for real, without
// filling anybody's disk.

const mountPoint = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-small-disk-'))
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'tmpfs', mountPoint])
const skip = mounted.status === 0 ? false : `no small file system here: mount said ${mounted.stderr}`

t.teardown(() => {
  if (skip === false) spawnSync('umount', [mountPoint])
  rmSync(mountPoint, { recursive: true, force: true })
})

t.test('server-disk: every machine is told that the server has no room', { skip }, async (t) => {
  const server = await LoopbackServer.start({ network: 84, dataDir: path.join(mountPoint, 'data') })
  t.teardown(() => server.stop())
  await server.addMachine('node01', { isArmed: false })
  writeFileSync(path.join(mountPoint, 'somebody-elses'), Buffer.alloc(200 * 1024 * 1024, 1))
  const { findings, standing } = await server.api<DiagnosisAnswer>('GET', '/machines/node01/diagnosis')
  t.equal(standing, 'idle')
  t.match(findings, [
    { code: 'server-disk', likelihood: 'certain', evidence: /^\d+ MB are free .* 200 MB are wanted/ },
  ])
})
