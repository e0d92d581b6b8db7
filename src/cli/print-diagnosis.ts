import { printable } from '../net/bytes.ts'
import { call } from './api-client.ts'
import { type Paint, paintFor, type Tint } from './paint.ts'
import { printTable } from './table.ts'

/** What `GET /machines/{ref}/diagnosis` answers. */
export interface DiagnosisAnswer {
  readonly name: string
  readonly state: string
  readonly boot_id: string | null
  readonly standing: string
  readonly stage: string | null
  readonly step: string | null
  readonly for_ms: number
  readonly limit_ms: number | null
  readonly gate: { readonly reason: string; readonly detail: string } | null
  /** How far stage 1 is with a root that is a squashfs of its own, while it tells of it. */
  readonly root: {
    readonly bytes: number
    readonly file_bytes: number | null
    readonly told_at: string
    readonly is_waiting: boolean
  } | null
  readonly clock_skew_ms: number | null
  readonly findings: readonly {
    readonly code: string
    readonly title: string
    readonly likelihood: string
    readonly evidence: string
    readonly impact: readonly string[]
    readonly mitigation: readonly string[]
    readonly cure: string
  }[]
}

export function diagnosisOf(ref: string): Promise<DiagnosisAnswer> {
  return call<DiagnosisAnswer>('GET', `/machines/${encodeURIComponent(ref)}/diagnosis`)
}

/** What `GET /clusters/{ref}/diagnosis` answers. */
export interface ClusterDiagnosisAnswer {
  readonly machines: readonly DiagnosisAnswer[]
  readonly drift: readonly {
    readonly name: string
    readonly what: string
    readonly runs: string
    readonly should: string
  }[]
}

export function clusterDiagnosisOf(name: string): Promise<ClusterDiagnosisAnswer> {
  return call('GET', `/clusters/${encodeURIComponent(name)}/diagnosis`)
}

/** Every machine of a cluster: clocks, drift, and why those that do not move on do not. */
export function printClusterDiagnosis({ machines, drift }: ClusterDiagnosisAnswer): void {
  console.log('')
  for (const machine of machines) printDiagnosis(machine)
  const clocks = machines.filter(({ clock_skew_ms }) => clock_skew_ms !== null)
  if (clocks.length > 0) {
    console.log('')
    printTable(
      ['MACHINE', 'CLOCK'],
      clocks.map(({ name, clock_skew_ms }) => [
        name,
        `${Math.round((clock_skew_ms ?? 0) / 1000) || 0} s off`,
      ]),
    )
  }
  if (drift.length === 0) return
  console.log('')
  printTable(
    ['MACHINE', 'DRIFT', 'RUNS', 'SHOULD'],
    drift.map(({ name, what, runs, should }) => [name, what, runs.slice(0, 16), should.slice(0, 16)]),
  )
}

/** Says in words where a machine stands and why it does not move on. */
export function printDiagnosis(diagnosis: DiagnosisAnswer): void {
  const paint = paintFor(process.stdout)
  console.log(paint(TINTS[diagnosis.standing] ?? 'dim', standingLine(diagnosis)))
  if (diagnosis.root !== null) console.log(rootLine(diagnosis.root))
  for (const line of findingLines(diagnosis, paint)) console.log(line)
}

const TINTS: Readonly<Record<string, Tint>> = {
  ready: 'good',
  moving: 'good',
  waiting: 'warn',
  parked: 'warn',
  unseen: 'warn',
  stalled: 'bad',
  failed: 'bad',
}

/** `node03: stalled at kernel-sent for 140 s (limit 120 s)`. */
export function standingLine({ name, standing, stage, step, for_ms, limit_ms }: DiagnosisAnswer): string {
  const where = standing === 'ready' || standing === 'idle' ? '' : placeOf(stage, step)
  const seconds = Math.round(for_ms / 1000)
  const limit = limit_ms === null || standing === 'ready' ? '' : ` (limit ${Math.round(limit_ms / 1000)} s)`
  const time = standing === 'idle' || standing === 'unseen' ? '' : ` for ${seconds} s${limit}`
  return `${name}: ${standing}${where}${time}`
}

/** `  its root: 120 of 400 MiB (30 %), told at 2026-11-29T12:00:00.000Z`. */
export function rootLine({
  bytes,
  file_bytes,
  told_at,
  is_waiting,
}: NonNullable<DiagnosisAnswer['root']>): string {
  const mib = (count: number) => Math.floor(count / 2 ** 20)
  const of =
    file_bytes === null
      ? `${mib(bytes)} MiB`
      : `${mib(bytes)} of ${mib(file_bytes)} MiB (${Math.floor((100 * bytes) / Math.max(file_bytes, 1))} %)`
  return `  its root: ${of}${is_waiting ? ', and it waits for room' : ''}, told at ${told_at}`
}

function placeOf(stage: string | null, step: string | null): string {
  if (stage === null) return ''
  return step === null || step === stage ? ` at ${stage}` : ` after ${stage}, before ${step}`
}

function findingLines({ findings }: DiagnosisAnswer, paint: Paint): string[] {
  return findings.flatMap((finding) => [
    `  ${finding.likelihood}: ${finding.title} [${finding.code}]`,
    `    seen:   ${printable(finding.evidence)}`,
    ...(finding.impact.length === 0 ? [] : [paint('dim', `    impact: ${finding.impact.join('; ')}`)]),
    ...(finding.mitigation.length === 0
      ? []
      : [paint('dim', `    softened by: ${finding.mitigation.join('; ')}`)]),
    `    cure:   ${printable(finding.cure)}`,
  ])
}
