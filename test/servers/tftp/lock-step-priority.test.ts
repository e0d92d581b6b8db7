import { readFileSync } from 'node:fs'
import os from 'node:os'
import t from 'tap'
import { LockStepPriority } from '../../../src/servers/tftp/lock-step-priority.ts'

const normal = os.getPriority()
/** Root has it, but in a container that leaves it out. */
const hasSysNice = (Number.parseInt(capabilities(), 16) / 2 ** 23) % 2 >= 1

t.test('a thread gives way while its clients wait for each block, and not for a transfer in windows', (t) => {
  t.teardown(() => {
    if (hasSysNice) os.setPriority(0, normal)
  })
  const nicer = hasSysNice ? Math.min(normal + 3, 19) : normal
  const priority = new LockStepPriority()
  t.equal(os.getPriority(), nicer, 'at rest')
  priority.begun(1)
  t.equal(os.getPriority(), nicer, 'in lock-step')
  priority.begun(16)
  priority.begun(4)
  t.equal(os.getPriority(), normal, 'with two in windows beside it')
  priority.ended(16)
  t.equal(os.getPriority(), normal, 'with one in windows left')
  priority.ended(4)
  t.equal(os.getPriority(), nicer, 'in lock-step again')
  t.end()
})

function capabilities(): string {
  if (process.platform !== 'linux') return '0'
  return /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
}
