import t from 'tap'
import type { BootAnswer } from '../../src/cli/boot-answer.ts'
import { paintFor } from '../../src/cli/paint.ts'
import { waterfall } from '../../src/cli/waterfall.ts'

const stage = (name: string, after_ms: number, took_ms: number, more = {}) => ({
  stage: name,
  after_ms,
  took_ms,
  bytes: 0,
  retries: 0,
  stalled_at: null,
  ...more,
})

const BOOT: BootAnswer = {
  boot_id: 'b1',
  stage: 'flaredb-cluster-join',
  status: 'current',
  end: null,
  started_at: '2027-01-15T08:00:00.000Z',
  total_ms: 40_000,
  stages: [
    stage('offered', 0, 0, { retries: 1 }),
    stage('loader-sent', 2000, 2000, { bytes: 74_213 }),
    stage('initrd-sent', 10_000, 8000, { bytes: 41_600_000, stalled_at: '2027-01-15T08:00:09.000Z' }),
    stage('chainfire-cluster-join', 20_000, 10_000),
  ],
  steps: [
    {
      step: 'chainfire-cluster-join',
      state: 'waiting',
      reason: 'waiting-for-slot (place 2)',
      after_ms: 20_000,
      took_ms: 20_000,
      waits: [{ reason: 'waiting-for-slot', detail: 'slot 3', after_ms: 24_000, took_ms: 10_000 }],
    },
    { step: 'flaredb-cluster-join', state: 'pending', reason: '', after_ms: null, took_ms: null, waits: [] },
  ],
}

t.test('a bar reaches from one stage to the next, to scale', (t) => {
  const lines = waterfall(BOOT, { columns: 96 })
  const width = 96 - 24 - 30 - 2
  const loader = lines.find((line) => line.startsWith('loader-sent')) ?? ''
  const initrd = lines.find((line) => line.startsWith('initrd-sent')) ?? ''
  t.equal(loader.slice(24, 24 + width).lastIndexOf('█'), Math.floor((2 / 40) * width), '2 s of 40 s')
  t.equal(initrd.slice(24, 24 + width).indexOf('█'), Math.floor((2 / 40) * width), 'begins where it ended')
  t.match(loader, /2\.0 s {2}74\.2 kB$/)
  t.match(initrd, /8\.0 s {2}41\.6 MB, stalled$/)
  t.match(lines[1], /^offered +◆.*1 again$/, 'a moment is a point, with its retries')
  t.end()
})

t.test('the wait of a step is told apart from its work, and says why', (t) => {
  const lines = waterfall(BOOT, { columns: 96 })
  const step = lines.find((line) => line.startsWith('chainfire-cluster-join')) ?? ''
  t.match(step, /█+░+█+/)
  t.match(step, /waiting$/)
  t.ok(lines.some((line) => /waited 10\.0 s: waiting-for-slot, slot 3/.test(line)))
  t.ok(lines.some((line) => /says: waiting-for-slot \(place 2\)/.test(line)))
  const pending = lines.find((line) => line.startsWith('flaredb-cluster-join')) ?? ''
  t.notMatch(pending, /[█░◆]/, 'what has not begun has no bar')
  t.end()
})

t.test('no line is wider than the terminal', (t) => {
  for (const columns of [60, 80, 120, 200])
    for (const line of waterfall(BOOT, { columns }).filter((line) => !line.startsWith('  ')))
      t.ok(line.length <= columns, `${columns}: ${line.length}`)
  t.end()
})

t.test('text of a machine cannot paint the terminal', (t) => {
  const step = { ...BOOT.steps[0]!, reason: 'a\u001b[31mred\nline' }
  const lines = waterfall({ ...BOOT, steps: [step] }, { columns: 96 })
  t.notOk(lines.join('').includes('\u001b'))
  t.end()
})

t.test('colour is for terminals', (t) => {
  t.equal(paintFor({ isTTY: true }, {})('bad', 'x'), '\u001b[31mx\u001b[0m')
  t.equal(paintFor({}, {})('bad', 'x'), 'x', 'a pipe')
  t.equal(paintFor({ isTTY: true }, { NO_COLOR: '1' })('bad', 'x'), 'x')
  t.equal(paintFor({ isTTY: true }, { TERM: 'dumb' })('bad', 'x'), 'x')
  t.end()
})
