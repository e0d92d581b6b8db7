import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { FIRST_BOOT_STEPS, REPORT_STATES, type Report } from '../../../model/first-boot.ts'

const MAX_REPORTS = 256
const MAX_REASON_BYTES = 255

const Step = Type.Union(FIRST_BOOT_STEPS.map((step) => Type.Literal(step)))
const State = Type.Union(REPORT_STATES.map((state) => Type.Literal(state)))
const Count = Type.Integer({ minimum: 0, maximum: 2 ** 31 })
const Fact = Type.Union([Type.String({ maxLength: 255 }), Type.Number(), Type.Boolean()])

const ReportSchema = Type.Object({
  step: Step,
  sequence: Type.Integer({ minimum: 1, maximum: 2 ** 31 }),
  state: State,
  reason: Type.Optional(Type.String({ maxLength: 4096 })),
  slot_no: Type.Optional(Type.Union([Count, Type.Null()])),
  epoch: Type.Optional(Type.Union([Count, Type.Null()])),
  facts: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Fact, { maxProperties: 32 })),
})

const InstalledSchema = Type.Object({
  step: Type.Literal('installed'),
  sequence: Type.Integer({ minimum: 1, maximum: 2 ** 31 }),
  state: Type.Literal('succeeded'),
})

const checkReport = Compile(ReportSchema)
const checkInstalled = Compile(InstalledSchema)

/** One report as it was sent, or what is wrong with it. `installed`: of no step, the system is on the machine's disk. */
export type ReadReport =
  | { readonly ok: true; readonly report: Report | 'installed' }
  | { readonly ok: false; readonly field: string; readonly detail: string }

/** Reads a report body: `{boot_id, reports: […]}`, or one report with its `boot_id` beside its fields. */
export function readReportBody(
  body: unknown,
): { readonly bootId: string; readonly reports: readonly ReadReport[] } | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { boot_id: bootId, reports } = body as { boot_id?: unknown; reports?: unknown }
  if (typeof bootId !== 'string' || bootId.length > 64) return undefined
  const list = reports === undefined ? [body] : reports
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_REPORTS) return undefined
  return { bootId, reports: list.map(readReport) }
}

function readReport(value: unknown): ReadReport {
  if (checkInstalled.Check(value)) return { ok: true, report: 'installed' }
  if (!checkReport.Check(value)) {
    const [first] = checkReport.Errors(value)
    const field = first?.instancePath.replace(/^\//, '').replaceAll('/', '.') || 'report'
    return { ok: false, field, detail: first?.message ?? 'malformed' }
  }
  return {
    ok: true,
    report: {
      step: value.step,
      sequence: value.sequence,
      state: value.state,
      reason: (value.reason ?? '').slice(0, MAX_REASON_BYTES),
      facts: value.facts ?? {},
      ...(typeof value.slot_no === 'number' ? { slotNo: value.slot_no } : {}),
      ...(typeof value.epoch === 'number' ? { epoch: value.epoch } : {}),
    },
  }
}
