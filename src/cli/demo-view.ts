import { FIRST_BOOT_STEPS } from '../model/first-boot.ts'
import type { MachineView } from '../rack/rack-run.ts'
import { printTable } from './table.ts'

const MARKS: Readonly<Record<string, string>> = {
  succeeded: '✔',
  failed: '✘',
  started: '…',
  waiting: '◷',
  pending: '·',
}

/** Live lines on a terminal, one a machine; elsewhere a line whenever a machine's stage changes. */
export class DemoView {
  readonly #out: NodeJS.WriteStream
  #linesDrawn = 0
  readonly #said = new Map<string, string>()

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  draw(views: readonly MachineView[]): void {
    if (this.#out.isTTY === true) this.#redraw(views)
    else this.#sayChanges(views)
  }

  #redraw(views: readonly MachineView[]): void {
    const up = this.#linesDrawn > 0 ? `\u001b[${this.#linesDrawn}A` : ''
    this.#out.write(`${up}${views.map((view) => `\u001b[2K${lineOf(view)}\n`).join('')}`)
    this.#linesDrawn = views.length
  }

  #sayChanges(views: readonly MachineView[]): void {
    for (const view of views) {
      const key = `${view.boot?.stage ?? view.state} ${marksOf(view)}`
      if (this.#said.get(view.machine.name) === key) continue
      this.#said.set(view.machine.name, key)
      this.#out.write(`${lineOf(view)}\n`)
    }
  }
}

function lineOf(view: MachineView): string {
  const { machine, boot, seconds, failure } = view
  const stage = failure ?? boot?.stage ?? 'powered on'
  return `${seconds.toFixed(1).padStart(6)} s  ${machine.name}  ${machine.firmware.padEnd(16)}  ${marksOf(view)}  ${stage}`
}

/** The four steps in order, a mark each. */
function marksOf({ boot }: MachineView): string {
  return FIRST_BOOT_STEPS.map(
    (step) => MARKS[boot?.steps.find((record) => record.step === step)?.state ?? 'pending'] ?? '?',
  ).join(' ')
}

/** The table at the end: how long each machine took to each part of its way. */
export function printResult(views: readonly MachineView[]): void {
  printTable(
    ['MACHINE', 'FIRMWARE', 'STATE', 'SCRIPT', 'KERNEL', 'INITRD', 'CONFIG', 'READY'],
    views.map((view) => [
      view.machine.name,
      view.machine.firmware,
      view.state,
      after(view, 'script-sent'),
      after(view, 'kernel-sent'),
      after(view, 'initrd-sent'),
      after(view, 'config-redeemed'),
      after(view, 'ready'),
    ]),
  )
}

function after({ boot }: MachineView, stage: string): string {
  const record = boot?.stages.find((candidate) => candidate.stage === stage)
  return record === undefined ? '-' : `${(record.after_ms / 1000).toFixed(1)} s`
}
