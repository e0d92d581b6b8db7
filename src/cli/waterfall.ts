import { printable } from '../net/bytes.ts'
import type { BootAnswer, StageAnswer, StepAnswer } from './boot-answer.ts'
import { type Paint, PLAIN, type Tint } from './paint.ts'

export interface WaterfallLook {
  /** Columns of the terminal. */
  readonly columns: number
  readonly paint?: Paint
}

const LABEL = 24
const RIGHT = 30
const LEAST_BAR = 12
const WORK = '█'
const WAIT = '░'
const POINT = '◆'

/** One row of the picture: where its bar lies, in ms, and what stands beside it. */
interface Row {
  readonly label: string
  readonly fromMs: number
  readonly untilMs: number
  readonly waits: readonly { readonly fromMs: number; readonly untilMs: number }[]
  readonly tint: Tint
  readonly took: string
  readonly beside: string
}

/**
 * Draws a boot attempt to scale: a bar for the way to each stage and for each first-boot step, its waits at the gate
 * lighter. Never wider than the terminal; the words alone tell the same without colour.
 */
export function waterfall(boot: BootAnswer, look: WaterfallLook): string[] {
  const paint = look.paint ?? PLAIN
  const width = Math.max(LEAST_BAR, look.columns - LABEL - RIGHT - 2)
  const totalMs = Math.max(boot.total_ms, 1)
  const rows = [...stageRows(boot), ...stepRows(boot), ...readyRow(boot)]
  const lines = rows.map((row) => {
    const bar = barOf(row, totalMs, width)
    const text = `${row.took.padStart(8)}  ${row.beside}`.trimEnd()
    const line = `${row.label.padEnd(LABEL)}${paint(row.tint, bar)} ${text}`
    const excess = LABEL + width + 1 + text.length - look.columns
    return excess > 0 && look.columns >= LABEL + LEAST_BAR + 10 ? line.slice(0, line.length - excess) : line
  })
  return [scale(totalMs, width, paint), ...lines, ...waitLines(boot, paint)]
}

function stageRows(boot: BootAnswer): Row[] {
  const steps = new Set(boot.steps.map(({ step }) => step))
  return boot.stages
    .filter(({ stage }) => stage !== 'ready' && !steps.has(stage))
    .map((row) => ({
      label: row.stage,
      fromMs: row.after_ms - row.took_ms,
      untilMs: row.after_ms,
      waits: [],
      tint: row.stalled_at === null ? 'good' : 'warn',
      took: seconds(row.took_ms),
      beside: besideStage(row),
    }))
}

function besideStage(row: StageAnswer): string {
  const words = [
    row.bytes > 0 ? size(row.bytes) : '',
    row.retries > 0 ? `${row.retries} again` : '',
    row.stalled_at === null ? '' : 'stalled',
  ]
  return words.filter((word) => word !== '').join(', ')
}

const STEP_TINTS: Readonly<Record<string, Tint>> = {
  succeeded: 'good',
  failed: 'bad',
  waiting: 'warn',
  started: 'warn',
}

function stepRows(boot: BootAnswer): Row[] {
  const stalled = new Set(
    boot.stages.filter(({ stalled_at }) => stalled_at !== null).map(({ stage }) => stage),
  )
  return boot.steps.map((step) => {
    const fromMs = step.after_ms ?? 0
    const untilMs = fromMs + (step.took_ms ?? 0)
    return {
      label: step.step,
      fromMs: step.after_ms === null ? -1 : fromMs,
      untilMs,
      waits: step.waits.map((wait) => ({ fromMs: wait.after_ms, untilMs: wait.after_ms + wait.took_ms })),
      tint: STEP_TINTS[step.state] ?? 'dim',
      took: step.took_ms === null ? '' : seconds(step.took_ms),
      beside: `${step.state}${stalled.has(step.step) ? ', stalled' : ''}`,
    }
  })
}

function readyRow({ stages }: BootAnswer): Row[] {
  const ready = stages.find(({ stage }) => stage === 'ready')
  if (ready === undefined) return []
  const at = ready.after_ms
  return [
    { label: 'ready', fromMs: at, untilMs: at, waits: [], tint: 'good', took: seconds(at), beside: 'in all' },
  ]
}

function barOf(row: Row, totalMs: number, width: number): string {
  if (row.fromMs < 0) return ' '.repeat(width)
  const cell = (ms: number) => Math.min(width - 1, Math.max(0, Math.floor((ms / totalMs) * width)))
  const first = cell(row.fromMs)
  const last = Math.max(first, cell(row.untilMs))
  const cells: string[] = Array.from({ length: width }, (_, index) =>
    index < first || index > last ? ' ' : WORK,
  )
  if (row.fromMs === row.untilMs) cells[first] = POINT
  for (const wait of row.waits) {
    for (let index = cell(wait.fromMs); index <= Math.min(cell(wait.untilMs), last); index += 1)
      cells[index] = WAIT
  }
  return cells.join('')
}

/** Marks at round times, as many as find room. */
function scale(totalMs: number, width: number, paint: Paint): string {
  const everyMs =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400]
      .map((step) => step * 1000)
      .find((step) => (step / totalMs) * width >= 8) ?? totalMs
  let line = ''
  for (let ms = 0; ms < totalMs; ms += everyMs) {
    const at = Math.floor((ms / totalMs) * width)
    const mark = `|${ms / 1000} s`
    if (at >= line.length && at + mark.length <= width) line = line.padEnd(at) + mark
  }
  return ' '.repeat(LABEL) + paint('dim', line)
}

function waitLines(boot: BootAnswer, paint: Paint): string[] {
  return boot.steps.flatMap((step: StepAnswer) => [
    ...step.waits.map(
      (wait) =>
        `  ${step.step} waited ${seconds(wait.took_ms)}: ${wait.reason}${wait.detail === '' ? '' : `, ${printable(wait.detail)}`}`,
    ),
    ...(step.reason === '' || step.state === 'succeeded'
      ? []
      : [paint(step.state === 'failed' ? 'bad' : 'warn', `  ${step.step} says: ${printable(step.reason)}`)]),
  ])
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
