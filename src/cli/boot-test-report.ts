import { STAGES, type Stage, stageRank } from '../model/boot-attempt.ts'
import type { MachineView } from '../rack/rack-run.ts'
import type { TestCase, TestSuite } from './junit.ts'
import type { DiagnosisAnswer } from './print-diagnosis.ts'

/** What is known of one machine at the end of a boot test. */
export interface TestedMachine {
  readonly view: MachineView
  readonly diagnosis: DiagnosisAnswer | undefined
  /** Paths of what was kept; only for a machine that did not become ready. */
  readonly kept: readonly string[]
}

/**
 * A suite for a machine: a case for every stage that it passed, the one that it did not, and those after it. A stage that
 * nobody told of before a later one is implied by that.
 */
export function suiteOf({ view, diagnosis, kept }: TestedMachine): TestSuite {
  const reached = new Map((view.boot?.stages ?? []).map((stage) => [stage.stage, stage]))
  const cases: TestCase[] = []
  let beforeMs = 0
  let hasFailed = false
  const at = view.boot === undefined ? -1 : stageRank(view.boot.stage as Stage)
  // A ROM that is itself an iPXE needs no loader, so that stage counts only where it happened.
  for (const stage of STAGES.filter((name) => name !== 'loader-sent' || reached.has(name))) {
    const record = reached.get(stage)
    const isPassed = stageRank(stage) < at || (stageRank(stage) === at && view.state === 'ready')
    if (isPassed && !hasFailed) {
      const afterMs = Math.max(beforeMs, record?.after_ms ?? 0)
      cases.push({ name: stage, seconds: (afterMs - beforeMs) / 1000, outcome: 'passed' })
      beforeMs = afterMs
    } else if (hasFailed) cases.push({ name: stage, seconds: 0, outcome: 'skipped' })
    else {
      hasFailed = true
      cases.push({ name: stage, seconds: 0, outcome: 'failed', failure: failureOf(view, diagnosis) })
    }
  }
  const output = [
    `${view.machine.name}: ${view.state} at ${view.boot?.stage ?? 'power on'}`,
    ...kept.map((file) => `kept: ${file}`),
  ]
  return { name: `${view.machine.name} (${view.machine.firmware})`, cases, output: output.join('\n') }
}

function failureOf(view: MachineView, diagnosis: DiagnosisAnswer | undefined) {
  const findings = diagnosis?.findings ?? []
  const [first] = findings
  const message =
    view.failure ??
    (first === undefined ? `stays at ${view.boot?.stage ?? 'power on'}` : `${first.code}: ${first.title}`)
  const text = findings.map(
    (one) => `${one.likelihood}: ${one.title} [${one.code}]\nseen: ${one.evidence}\ncure: ${one.cure}`,
  )
  return { message, text: text.join('\n\n') }
}

/** The JSON document of a boot test; stable, for scripts. */
export function documentOf(
  facts: {
    readonly mode: string
    readonly image: string
    readonly outcome: string
    readonly seconds: number
  },
  tested: readonly TestedMachine[],
) {
  return {
    ...facts,
    machines: tested.map(({ view, diagnosis, kept }) => ({
      name: view.machine.name,
      firmware: view.machine.firmware,
      state: view.state,
      seconds: view.seconds,
      stages: view.boot?.stages ?? [],
      steps: view.boot?.steps ?? [],
      failure: view.failure ?? null,
      diagnosis: diagnosis ?? null,
      kept,
    })),
  }
}
