import t from 'tap'
import { suiteOf } from '../../src/cli/boot-test-report.ts'
import type { MachineView } from '../../src/rack/rack-run.ts'
import { ip, mac } from '../support/builders.ts'

function viewAt(state: string, stage: string, stages: Readonly<Record<string, number>>): MachineView {
  return {
    machine: {
      name: 'node01',
      mac: mac('02:00:00:00:00:01'),
      address: ip('127.0.0.2'),
      uuid: '00000000-0000-4000-8000-000000000001',
      serial: 'A1',
      firmware: 'BIOS',
    },
    state,
    seconds: 1,
    boot: {
      boot_id: 'b',
      stage,
      started_at: '2026-01-01T00:00:00.000Z',
      stages: Object.entries(stages).map(([name, after_ms]) => ({
        stage: name,
        after_ms,
        bytes: 0,
        retries: 0,
      })),
      steps: [],
    },
  }
}

t.test('a stage that nobody told of is implied by the later one', (t) => {
  const view = viewAt('ready', 'ready', { offered: 0, 'script-sent': 500, 'initrd-sent': 2000, ready: 9000 })
  const { cases } = suiteOf({ view, diagnosis: undefined, kept: [] })
  t.strictSame(new Set(cases.map(({ outcome }) => outcome)), new Set(['passed']))
  t.match(
    cases.find(({ name }) => name === 'kernel-sent'),
    { seconds: 0 },
  )
  t.equal(
    cases.reduce((sum, { seconds }) => sum + seconds, 0),
    9,
    'no time is lost or told twice',
  )
  t.end()
})

t.test('the stage where it stands failed, and what follows was not tried', (t) => {
  const view = viewAt('booting', 'script-sent', { offered: 0, 'script-sent': 500 })
  const { cases } = suiteOf({ view, diagnosis: undefined, kept: [] })
  t.strictSame(
    cases.slice(0, 3).map(({ name, outcome }) => [name, outcome]),
    [
      ['offered', 'passed'],
      ['script-sent', 'failed'],
      ['kernel-sent', 'skipped'],
    ],
  )
  t.match(cases[1], { failure: { message: 'stays at script-sent' } })
  t.end()
})
